import { expect } from 'vitest';
import { Tape } from '../../src/autograd/tape.ts';
import { count, type Tensor, Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';
import { randn } from '../reference/index.ts';

const DIRECTIONS = 3;
const STEP = 1e-2;
/** Central differences in f32: truncation ~STEP^2 of the third derivative plus rounding 1e-6/STEP of the sum. */
const TOLERANCE = 3e-3;

export interface Shapes {
  [input: string]: readonly number[];
}

/** A workspace whose ops choose as on a GPU, whatever the device is. */
async function workspaceAs(adapter: 'here' | 'gpu'): Promise<Workspace> {
  const workspace = new Workspace(await testDevice());
  if (adapter === 'gpu')
    Object.defineProperty(workspace, 'caps', { value: { ...workspace.caps, software: false, vendor: 'nvidia' } });
  return workspace;
}

/**
 * Compares an op's backward with central differences of its forward, along random directions of each input. `build` runs
 * the op on watched inputs and returns its output; inputs in `fixed` are given as they are and need no gradient.
 */
export async function gradcheck(
  shapes: Shapes,
  build: (tape: Tape, inputs: { [name: string]: Tensor }) => Tensor,
  fixed: {
    [name: string]: { shape: readonly number[]; data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> };
  } = {},
  adapter: 'here' | 'gpu' = 'here',
): Promise<number> {
  const workspace = await workspaceAs(adapter);
  const values = Object.fromEntries(
    Object.entries(shapes).map(([name, shape], i) => [name, Float32Array.from(randn(count(shape), i + 11))]),
  );
  const place = (record: boolean, data: { [name: string]: Float32Array<ArrayBuffer> }) => {
    workspace.beginStep();
    const tape = new Tape(workspace, { record });
    const inputs: { [name: string]: Tensor } = {};
    for (const [name, shape] of Object.entries(shapes)) {
      const tensor = workspace.arena.alloc(shape);
      workspace.stream.write(tensor, data[name] as Float32Array<ArrayBuffer>);
      inputs[name] = record ? tape.watch(tensor) : tensor;
    }
    for (const [name, { shape, data: numbers }] of Object.entries(fixed)) {
      inputs[name] = workspace.arena.alloc(shape);
      workspace.stream.write(inputs[name] as Tensor, numbers);
    }
    return { tape, inputs };
  };

  const recorded = place(true, values);
  const out = build(recorded.tape, recorded.inputs);
  const cotangent = Float32Array.from(randn(out.count, 5));
  const seed = workspace.arena.alloc(out.shape);
  workspace.stream.write(seed, cotangent);
  recorded.tape.backward(out, seed);
  const gradients: { [name: string]: Float32Array } = {};
  for (const name of Object.keys(shapes))
    gradients[name] = await workspace.read(recorded.tape.gradient(recorded.inputs[name] as Tensor));

  const objective = async (data: { [name: string]: Float32Array<ArrayBuffer> }): Promise<number> => {
    const { tape, inputs } = place(false, data);
    const y = await workspace.read(build(tape, inputs));
    return y.reduce((sum, v, i) => sum + v * (cotangent[i] as number), 0);
  };

  let worst = 0;
  for (const name of Object.keys(shapes)) {
    const base = values[name] as Float32Array<ArrayBuffer>;
    for (let d = 0; d < DIRECTIONS; d++) {
      const raw = randn(base.length, 100 + d);
      const norm = Math.sqrt(raw.reduce((s, v) => s + v * v, 0));
      const direction = raw.map((v) => v / norm);
      const moved = (sign: number) => ({
        ...values,
        [name]: base.map((v, i) => v + sign * STEP * (direction[i] as number)),
      });
      const numeric = ((await objective(moved(1))) - (await objective(moved(-1)))) / (2 * STEP);
      const gradient = gradients[name] as Float32Array;
      const ours = gradient.reduce((s, v, i) => s + v * (direction[i] as number), 0);
      const size = Math.sqrt(gradient.reduce((s, v) => s + v * v, 0));
      // Measured against the gradient's size along a typical direction, so that a direction it hardly has does not divide by nothing.
      const error = Math.abs(numeric - ours) / Math.max(Math.abs(numeric), size / Math.sqrt(base.length), 1e-3);
      worst = Math.max(worst, error);
      expect(error, `gradient of ${name}: central difference ${numeric}, backward ${ours}`).toBeLessThan(TOLERANCE);
    }
  }
  await workspace.dispose();
  return worst;
}
