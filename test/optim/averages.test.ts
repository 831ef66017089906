import { expect, it } from 'vitest';
import { Learner, type LearnerOptions, linear, type StepBody, squaredError, Workspace } from '../../src/nn/index.ts';
import { testDevice } from '../gpu.ts';
import { scale } from './scale.ts';
import { BATCH, fine, IN, module, OUT } from './small_module.ts';

const x = Float32Array.from({ length: BATCH * IN }, (_, i) => Math.sin(i * i + 1));
const y = Float32Array.from({ length: BATCH * OUT }, (_, i) => Math.cos(i));
const body: StepBody = (tape, weights) => {
  const [given, wanted] = [tape.alloc(BATCH, IN), tape.alloc(BATCH, OUT)];
  tape.workspace.stream.write(given, x);
  tape.workspace.stream.write(wanted, y);
  return squaredError(tape, linear(tape, given, weights.get('weight'), weights.get('bias')), wanted);
};
const fresh = async (more: Partial<LearnerOptions>) =>
  new Learner(new Workspace(await testDevice()), module, { ...fine, ...more });
const valuesOf = async (learner: Learner) => {
  const read: [string, Map<string, Float32Array>][] = [];
  for (const [name, buffers] of learner.groups()) read.push([name, await buffers.read()]);
  return new Map(read);
};

for (const [pass, more] of [
  ['the pass of Adam', {}],
  ['a pass of its own, after a hook', { onWeights: undefined as LearnerOptions['onWeights'] }],
] as const)
  it(`further averages follow the weights, each by its decay; the first is updated in ${pass}, to the same bits`, async () => {
    const hook: Partial<LearnerOptions> =
      'onWeights' in more ? { onWeights: (weights) => scale((learner as Learner).workspace, weights, 0.99) } : {};
    let learner: Learner | undefined;
    const run = async (emaDecays: number[] | undefined) => {
      const made = await fresh({ ...hook, ...(emaDecays && { emaDecays }) });
      learner = made;
      const expected = new Map(emaDecays?.map((decay) => [decay, [] as number[]]));
      const weight = async () => (await valuesOf(made)).get('model')?.get('weight') as Float32Array;
      for (const decay of expected.keys()) expected.set(decay, [...(await weight())]);
      for (let i = 0; i < 5; i++) {
        await made.step(body);
        const now = await weight();
        for (const [decay, average] of expected)
          expected.set(
            decay,
            average.map((value, k) => decay * value + (1 - decay) * (now[k] as number)),
          );
      }
      return { groups: await valuesOf(made), expected, made };
    };
    const plain = await run(undefined);
    const several = await run([0.5, 0.999]);
    expect([...plain.groups.keys()]).toEqual(['model', 'ema', 'm', 'v']);
    expect([...several.groups.keys()]).toEqual(['model', 'ema', 'ema-0.5', 'ema-0.999', 'm', 'v']);
    for (const [name, group] of plain.groups) expect(several.groups.get(name)).toEqual(group);
    for (const [decay, average] of several.expected) {
      const read = several.groups.get(`ema-${decay}`)?.get('weight') as Float32Array;
      average.forEach((value, k) => void expect(read[k]).toBeCloseTo(value, 5));
    }
    expect([...several.made.averages.keys()]).toEqual([0.9, 0.5, 0.999]);
    for (const { made } of [plain, several]) {
      await made.free();
      await made.workspace.dispose();
      expect(made.workspace.ledger.total).toBe(0);
    }
  });

it('a step that is not taken leaves every average, and weights to start from begin them all', async () => {
  const learner = await fresh({ emaDecays: [0.5] });
  const start = new Map([
    ['weight', Float32Array.from({ length: OUT * IN }, (_, i) => i)],
    ['bias', Float32Array.of(1, 2)],
  ]);
  learner.startFrom(start);
  const before = await valuesOf(learner);
  for (const group of ['model', 'ema', 'ema-0.5']) expect(before.get(group)).toEqual(start);
  const broken: StepBody = (tape, weights) => {
    const given = tape.alloc(BATCH, IN);
    tape.workspace.stream.write(given, new Float32Array(BATCH * IN).fill(3e38));
    return squaredError(tape, linear(tape, given, weights.get('weight'), weights.get('bias')), tape.alloc(BATCH, OUT));
  };
  await learner.step(broken);
  await expect(learner.metrics()).rejects.toThrow('not taken');
  expect((await valuesOf(learner)).get('ema-0.5')).toEqual(before.get('ema-0.5'));
});

it('a decay that is there twice, or is none, is refused', async () => {
  await expect(fresh({ emaDecays: [0.9] })).rejects.toThrow('the decay 0.9 is there twice');
  await expect(fresh({ emaDecays: [1.5] })).rejects.toThrow('a decay is 1.5');
});
