import type { Tape } from '../../src/autograd/tape.ts';
import type { Tensor } from '../../src/tensor/index.ts';
import { type Comparison, type GradientCase, type Notes, NotOffered, need, type Recorded } from './case.ts';
import { STEPS } from './steps/index.ts';
import { filled, tensor } from './tensors.ts';
import { toleranceOf } from './tolerance.ts';

/** Runs the steps of a gradient case on the tape and back, and pairs what came out with what was recorded. */
export function runSteps(tape: Tape, kase: GradientCase, notes: Notes): Comparison[] {
  const unknown = kase.steps.find(([op]) => !Object.hasOwn(STEPS, op));
  if (unknown) throw new NotOffered(unknown[0]);
  const values = new Map<string, Tensor>();
  for (const [name, { shape, data }] of Object.entries(kase.inputs)) {
    const value = tensor(tape, shape, data);
    values.set(name, name in kase.gradients ? tape.watch(value) : value);
  }
  const outputs = new Map<string, Tensor>();
  for (const [op, names, output, attributes] of kase.steps) {
    const inputs = names.map((name) => {
      const found = values.get(name);
      if (!found) throw new Error(`step ${op} reads ${name}, which no step made`);
      return found;
    });
    const numbers = names.map((name) => kase.inputs[name]);
    const made = STEPS[op]?.({ tape, inputs, numbers, attributes, notes, kase }) as Tensor | Map<string, Tensor>;
    if (made instanceof Map) made.forEach((value, name) => void values.set(name, value));
    else values.set(output, made);
  }
  const find = (name: string) => {
    const value = values.get(name);
    if (!value) throw new Error(`no step made ${name}`);
    return value;
  };
  for (const name of Object.keys(kase.outputs ?? {})) outputs.set(name, find(name));
  const compared = [...outputs].map(([name, ours]) => pair(kase, name, ours, kase.outputs?.[name] as Recorded));
  if (Object.keys(kase.gradients).length === 0) return compared;

  const last = find(kase.loss.of);
  const { cotangent } = kase.loss;
  // What backward frees is what later steps of it overwrite: results are copied out of its way.
  const kept: Comparison[] = compared.map((c) => ({ ...c, ours: copy(tape, c.ours as Tensor) }));
  const grad = cotangent === 'ones' ? filled(tape, last.shape, 1) : tensor(tape, cotangent.shape, cotangent.data);
  need(grad.count === last.count, `a cotangent [${grad.shape}] of [${last.shape}]`);
  tape.backward(last, grad.view(...last.shape));
  for (const [name, recorded] of Object.entries(kase.gradients))
    kept.push(pair(kase, `gradient of ${name}`, tape.gradient(values.get(name) as Tensor), recorded));
  return kept;
}

function pair(kase: GradientCase, name: string, ours: Tensor, recorded: Recorded): Comparison {
  const inputs = Object.values(kase.inputs);
  const from = { of: recorded, roundedInputs: kase.rounded_inputs, inputs };
  const tolerance = toleranceOf('gradients', kase.op, kase.source, recorded.data, from);
  return { name, shape: recorded.shape, ours, wanted: recorded.data, tolerance };
}

function copy(tape: Tape, from: Tensor): Tensor {
  const to = tape.alloc(...from.shape);
  tape.workspace.stream.copy(from, to);
  return to;
}
