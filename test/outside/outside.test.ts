import { afterAll, describe, expect, it } from 'vitest';
import { Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';
import { openFolder } from './load.ts';
import { type Outcome, runGradient, runOnnx } from './run.ts';
import { table } from './table.ts';

const folder = await openFolder();
const outcomes: Outcome[] = [];
let workspace: Workspace | undefined;

/** A case that is wrong, or that passed when the folder's coverage was taken and no longer runs, fails. */
async function check(
  set: Outcome['set'],
  name: string,
  run: (workspace: Workspace) => Promise<Outcome>,
): Promise<void> {
  workspace ??= new Workspace(await testDevice());
  const outcome = await run(workspace);
  outcomes.push(outcome);
  if (outcome.status === 'wrong') throw new Error(`${name}: ${outcome.why}`);
  const before = folder.coverage.find((covered) => covered.set === set && covered.name === name);
  if (before?.status === 'passed')
    expect(outcome, `${name} passed before: ${outcome.why}`).toHaveProperty('status', 'passed');
}

describe(`numbers from outside, ${folder.path}`, () => {
  afterAll(() => {
    workspace?.dispose();
    console.log(table(outcomes));
  });
  for (const kase of folder.onnx)
    it(`onnx ${kase.op} ${kase.name}`, () => check('onnx', kase.name, (w) => runOnnx(w, kase)));
  for (const kase of folder.gradients)
    it(`gradients ${kase.op} ${kase.source}`, () => check('gradients', kase.source, (w) => runGradient(w, kase)));
});
