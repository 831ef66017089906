import { afterAll, describe, expect, it } from 'vitest';
import { Tape } from '../../src/autograd/tape.ts';
import { float32ToHalf } from '../../src/kernel/index.ts';
import { count, type Tensor, Workspace } from '../../src/tensor/index.ts';
import { halves } from '../catalogue/case.ts';
import { relativeError } from '../catalogue/run.ts';
import { testDevice } from '../gpu.ts';
import { randn } from '../reference/index.ts';
import { HALF_CASES, type HalfCase } from './half_cases.ts';

/** Half of the distance from 1 to the next number of f16: what one rounding costs at most. */
const ROUNDING = 2 ** -11;
/** Roundings in a row: of what an op stores on its way and of its result. */
const ROUNDINGS = 2;

interface Results {
  readonly y: Float32Array;
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

/** An op and its gradients, of the same numbers stored as f16, or as f32. */
async function run(kase: HalfCase, precision: 'mixed' | 'f32', adapter: 'here' | 'gpu'): Promise<Results> {
  const workspace = new Workspace(await testDevice());
  if (adapter === 'gpu')
    Object.defineProperty(workspace, 'caps', { value: { ...workspace.caps, software: false, vendor: 'nvidia' } });
  workspace.beginStep();
  const tape = new Tape(workspace, { record: true, precision });
  const { dtype } = tape;
  const place = (shape: readonly number[], numbers: Float32Array<ArrayBuffer>, half: boolean): Tensor => {
    const tensor = workspace.arena.alloc(shape, half ? dtype : 'f32');
    const rounded = half ? halves(numbers) : numbers;
    workspace.stream.write(tensor, tensor.dtype === 'f16' ? float32ToHalf(rounded) : rounded);
    return tensor;
  };
  const inputs: { [name: string]: Tensor } = {};
  Object.entries(kase.shapes).forEach(([name, shape], i) => {
    const numbers = Float32Array.from(randn(count(shape), i + 11));
    inputs[name] = tape.watch(place(shape, numbers, kase.halves.includes(name)));
  });
  for (const [name, { shape, data }] of Object.entries(kase.fixed ?? {}))
    inputs[name] = place(shape, data as Float32Array<ArrayBuffer>, false);
  const out = kase.build(tape, inputs);
  const cotangent = Float32Array.from(randn(out.count, 5));
  const seed = workspace.arena.alloc(out.shape, out.dtype);
  const rounded = halves(cotangent);
  workspace.stream.write(seed, out.dtype === 'f16' ? float32ToHalf(rounded) : rounded);
  workspace.arena.retain(out);
  tape.backward(out, seed);
  const gradients = new Map<string, Float32Array>();
  for (const name of Object.keys(kase.shapes)) {
    const gradient = tape.gradient(inputs[name] as Tensor);
    expect(gradient.dtype).toBe(inputs[name]?.dtype);
    gradients.set(name, await workspace.read(gradient));
  }
  const y = await workspace.read(out);
  await workspace.dispose();
  return { y, gradients };
}

describe('ops of f16 against those of f32, on the same numbers', () => {
  let worst = 0;
  let compared = 0;
  const check = async (kase: HalfCase, adapter: 'here' | 'gpu') => {
    const has = (await testDevice()).features.has('shader-f16');
    if (!has) return expect(run(kase, 'mixed', adapter)).rejects.toThrow('shader-f16');
    compared++;
    const ours = await run(kase, 'mixed', adapter);
    const exact = await run(kase, 'f32', adapter);
    const pairs = [
      ['y', ours.y, exact.y],
      ...[...exact.gradients].map(([name, wanted]) => [`d${name}`, ours.gradients.get(name), wanted]),
    ] as [string, Float32Array, Float32Array][];
    for (const [name, given, wanted] of pairs) {
      const error = relativeError(given, wanted);
      worst = Math.max(worst, error);
      expect(error, name).toBeLessThan((kase.roundings ?? ROUNDINGS) * ROUNDING);
    }
  };
  for (const kase of HALF_CASES) {
    it(`${kase.ops[0]}: ${kase.name}`, () => check(kase, 'here'));
    if (kase.ops[0]?.startsWith('linear')) it(`${kase.ops[0]}: ${kase.name}, as on a GPU`, () => check(kase, 'gpu'));
  }
  afterAll(() => {
    console.log(`ops of f16: worst difference ${worst.toExponential(1)} over ${HALF_CASES.length} cases`);
    if (compared > 0) expect(worst).toBeGreaterThan(ROUNDING / 16); // something was rounded
  });
});
