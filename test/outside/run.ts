import { Tape } from '../../src/autograd/tape.ts';
import { KernelError } from '../../src/kernel/index.ts';
import { BufferLimitError, Tensor, type Workspace } from '../../src/tensor/index.ts';
import { type Comparison, type GradientCase, type Notes, NotOffered, type OnnxCase, product } from './case.ts';
import { runSteps } from './gradients.ts';
import { Context } from './onnx/context.ts';
import { ONNX } from './onnx/index.ts';
import { toleranceOf } from './tolerance.ts';

export interface Outcome {
  readonly set: 'onnx' | 'gradients';
  readonly op: string;
  readonly name: string;
  readonly status: 'passed' | 'not offered' | 'wrong';
  /** Of one not offered: what it needs. Of one that is wrong: what is off, and by how much. */
  readonly why: string;
  /** Features that a trick gets round, and outputs that were left out. */
  readonly tricks: readonly string[];
  readonly parts: readonly string[];
}

const LIMITS: readonly string[] = ['bad-dims', 'limit'];

type Plan = (tape: Tape, notes: Notes, parts: readonly string[]) => Comparison[];

/** An ONNX case: its outputs against the recorded ones. */
export function runOnnx(workspace: Workspace, kase: OnnxCase): Promise<Outcome> {
  return outcome(workspace, { set: 'onnx', op: kase.op, name: kase.name }, false, (tape, notes, parts) => {
    const adapter = Object.hasOwn(ONNX, kase.op) ? ONNX[kase.op] : undefined;
    if (!adapter) throw new NotOffered(kase.op);
    const outputs = adapter(new Context(tape, kase, notes));
    return kase.outputs.flatMap((wanted, i) => {
      const ours = outputs[i];
      if (!wanted || (!ours && parts.length > 0 && i > 0)) return [];
      if (!ours) throw new NotOffered(`output ${i}`);
      const tolerance = toleranceOf('onnx', kase.op, kase.name, wanted.data, undefined);
      return [{ name: `output ${i}`, shape: wanted.shape, ours, wanted: wanted.data, tolerance }];
    });
  });
}

/** A gradient case: its results and its gradients against the recorded ones. */
export function runGradient(workspace: Workspace, kase: GradientCase): Promise<Outcome> {
  const records = Object.values(kase.gradients).length > 0;
  return outcome(workspace, { set: 'gradients', op: kase.op, name: kase.source }, records, (tape, notes) =>
    runSteps(tape, kase, notes),
  );
}

async function outcome(
  workspace: Workspace,
  which: Pick<Outcome, 'set' | 'op' | 'name'>,
  record: boolean,
  plan: Plan,
): Promise<Outcome> {
  const tricks: string[] = [];
  const parts: string[] = [];
  const end = (status: Outcome['status'], why = ''): Outcome => ({ ...which, status, why, tricks, parts });
  workspace.beginStep();
  try {
    const tape = new Tape(workspace, { record });
    const notes = { trick: (what: string) => void tricks.push(what), part: (what: string) => void parts.push(what) };
    const comparisons = plan(tape, notes, parts);
    if (comparisons.length === 0) throw new Error('the case records no result');
    const faults: string[] = [];
    for (const comparison of comparisons) {
      const fault = await compare(workspace, comparison);
      if (fault) faults.push(fault);
    }
    return faults.length > 0 ? end('wrong', faults.join('; ')) : end('passed');
  } catch (error) {
    await workspace.abandonStep();
    if (error instanceof NotOffered) return end('not offered', error.needs);
    // A kernel that refuses sizes with a reason is a limit, not a fault; so is a buffer that the device cannot have.
    const limit = error instanceof BufferLimitError || (error instanceof KernelError && LIMITS.includes(error.code));
    if (limit) return end('not offered', error.message);
    return end('wrong', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}

/** What is wrong with one result, if anything is. */
async function compare(workspace: Workspace, c: Comparison): Promise<string | undefined> {
  if (c.ours instanceof Tensor && c.ours.shape.join() !== c.shape.join())
    return `${c.name} has the shape [${c.ours.shape}], not [${c.shape}]`;
  if (product(c.shape) === 0) return undefined;
  const ours = c.ours instanceof Tensor ? await workspace.read(c.ours) : c.ours;
  let worst = 0;
  let at = 0;
  for (let i = 0; i < c.wanted.length; i++) {
    const [a, b] = [ours[i] as number, c.wanted[i] as number];
    const off = a === b || (Number.isNaN(a) && Number.isNaN(b)) ? 0 : Math.abs(a - b);
    if (!(off <= worst)) [worst, at] = [off, i];
    if (Number.isNaN(off)) break;
  }
  if (worst <= c.tolerance) return undefined;
  return `${c.name}[${at}] is ${ours[at]}, not ${c.wanted[at]}: off by ${worst.toExponential(1)}, tolerance ${c.tolerance.toExponential(1)}`;
}
