/** The ranges by which products in f32x3 scale their operands: each tensor is read once for all of its products, and again after it was written. */
import { expect, it, vi } from 'vitest';
import { linear } from '../../src/autograd/ops/linear.ts';
import { Tape } from '../../src/autograd/tape.ts';
import { LARGEST_PARTS } from '../../src/kernels/largest.ts';
import type { MatrixMatmulOptions } from '../../src/kernels/matmul_matrix.ts';
import type { Module } from '../../src/nn/network.ts';
import { copyWeights } from '../../src/nn/weights_copy.ts';
import { FlatParameters, RANGE_WORDS, Section, type Tensor, Workspace } from '../../src/tensor/index.ts';
import { relativeError } from '../catalogue/run.ts';
import { openDevice } from '../gpu.ts';
import { matmul as oracle, randn } from '../reference/index.ts';

/** The family over emulated shaders, which import the module that they stand for: put in its place when all are there. */
const emulated = vi.hoisted(() => ({}) as typeof import('./emulated.ts'));

vi.mock('../../src/kernels/matmul_matrix.ts', async (original) => {
  const real = await original<typeof import('../../src/kernels/matmul_matrix.ts')>();
  const prepare = (device: GPUDevice, options: MatrixMatmulOptions) => emulated.emulatedMatmul.prepare(device, options);
  return { ...real, matrixMatmul: { prepare } };
});

Object.assign(emulated, await import('./emulated.ts'));

const MATRICES = {
  f16: true,
  subgroups: { least: 32, most: 32 },
  matrices: [{ components: 'f16', result: 'f32', m: 16, n: 16, k: 16 }],
  maxWorkgroupMemory: 32768,
};
const [ROWS, COLS, OUT] = [24, 40, 16];

let device: Promise<GPUDevice> | undefined;

/** A workspace of a device that seems to have subgroup matrices, two weights in one buffer, and the kernels that are recorded. */
async function setUp() {
  device ??= openDevice({});
  const kernels: string[] = [];
  const watch = (workspace: Workspace) => {
    Object.defineProperty(workspace, 'caps', { value: { ...workspace.caps, ...MATRICES } });
    const { run } = workspace.stream;
    workspace.stream.run = (kernel, buffers, dims) => {
      kernels.push(kernel.name);
      run.call(workspace.stream, kernel as never, buffers as never, dims as never);
    };
    return workspace;
  };
  const workspace = watch(new Workspace(await device));
  const specs = ['first', 'second'].map((name) => ({ name, shape: [OUT, COLS] }));
  const layout = FlatParameters.layoutFor(workspace, [...specs, { name: 'bias', shape: [OUT] }]);
  const weights = new FlatParameters(workspace, layout, { trainable: true });
  const reads = () => kernels.filter((name) => name === 'largest').length;
  const tape = (record = false, checkpointing = false) =>
    new Tape(workspace, { record, checkpointing, precision: 'f32x3' });
  return { workspace, weights, reads, tape, watch };
}

const numbers = (count: number, seed: number, scale = 1) => Float32Array.from(randn(count, seed), (v) => scale * v);

/** x W^T by f64. */
const expected = (x: Float32Array, w: Float32Array) =>
  oracle({ m: ROWS, n: OUT, k: COLS, a: x as never, b: w as never, transB: true });

async function near(workspace: Workspace, y: Tensor, x: Float32Array, w: Float32Array): Promise<void> {
  expect(relativeError(await workspace.read(y), expected(x, w))).toBeLessThan(2e-6);
}

it('has the words that the kernel writes', () => {
  expect(RANGE_WORDS).toBe(LARGEST_PARTS);
});

it('reads weights at once, and an activation once for forward and backward', async () => {
  const { workspace, weights, reads, tape } = await setUp();
  for (const checkpointing of [false, true]) {
    const before = reads();
    workspace.beginStep();
    const t = tape(true, checkpointing);
    const x = t.watch(t.alloc(ROWS, COLS));
    const y = t.block([x], () => linear(t, x, weights.get('first')));
    const dy = t.alloc(ROWS, OUT);
    t.backward(y, dy);
    // The weights, x and dy, for three products; checkpointing makes one of them twice, of the same x.
    expect(reads() - before, `checkpointing ${checkpointing}`).toBe(3);
  }
  workspace.beginStep();
  const before = reads();
  const [t, ema] = [tape(), new FlatParameters(workspace, weights.layout)];
  const x = t.alloc(ROWS, COLS);
  for (const of of [weights, ema, weights]) for (const name of ['first', 'second']) linear(t, x, of.get(name));
  expect(reads() - before).toBe(3); // x, and each set of weights
  expect(workspace.ranges.of(weights.get('bias'))).toBeUndefined();
  ema.free();
  await workspace.dispose();
});

it('reads a tensor again after a write, a copy, a clear and a kernel', async () => {
  const { workspace, weights, reads, tape } = await setUp();
  const [small, large] = [numbers(ROWS * COLS, 1, 1e-6), numbers(ROWS * COLS, 2, 1e6)];
  const w = numbers(OUT * COLS, 3);
  weights.values.write(
    new Map([
      ['first', w],
      ['second', w],
    ]),
  );
  workspace.beginStep();
  const t = tape();
  const [x, other] = [t.alloc(ROWS, COLS), t.alloc(ROWS, COLS)];
  workspace.stream.write(x, small);
  workspace.stream.write(other, large);
  const ys: [Tensor, Float32Array][] = [[linear(t, x, weights.get('first')), small]];
  workspace.stream.copy(other, x);
  ys.push([linear(t, x, weights.get('first')), large]);
  workspace.stream.clear(x);
  ys.push([linear(t, x, weights.get('second')), new Float32Array(ROWS * COLS)]);
  workspace.stream.write(x, small);
  ys.push([linear(t, x, weights.get('second')), small]);
  expect(reads()).toBe(5);
  const made = linear(t, x, weights.get('first')); // [ROWS, OUT], by a kernel
  linear(t, made.view(OUT, ROWS), t.alloc(OUT, ROWS));
  expect(reads()).toBe(7);
  expect(workspace.ranges.of(made)).toBeDefined();
  t.release(made);
  expect(workspace.ranges.of(made)).toBeUndefined();
  for (const [y, given] of ys.filter((_, i) => i !== 2)) await near(workspace, y, given, w);
  expect(await workspace.read((ys[2] as [Tensor, Float32Array])[0])).toEqual(new Float32Array(ROWS * OUT));
  await workspace.dispose();
});

it('reads weights again after one of them was written', async () => {
  const { workspace, weights, reads, tape } = await setUp();
  const [before, after] = [numbers(OUT * COLS, 1), numbers(OUT * COLS, 2, 1e6)];
  const x = numbers(ROWS * COLS, 3);
  weights.values.write(
    new Map([
      ['first', before],
      ['second', before],
    ]),
  );
  workspace.beginStep();
  const t = tape();
  const given = t.alloc(ROWS, COLS);
  workspace.stream.write(given, x);
  const first = linear(t, given, weights.get('first'));
  weights.values.write(new Map([['second', after]]));
  const second = linear(t, given, weights.get('second'));
  linear(t, given, weights.get('first'));
  expect(reads()).toBe(3);
  await near(workspace, first, x, before);
  await near(workspace, second, x, after);
  await workspace.dispose();
});

it('reads copies of weights at once too, as samplings beside a training have them', async () => {
  const { workspace, weights, reads, watch } = await setUp();
  const lease = watch(workspace.lease('sampling'));
  const module = { parameters: weights.layout.places, constants: [] } as unknown as Module;
  const [w, x] = [numbers(OUT * COLS, 1), numbers(ROWS * COLS, 2)];
  weights.values.write(
    new Map([
      ['first', numbers(OUT * COLS, 3, 1e6)],
      ['second', w],
    ]),
  );
  const copy = await copyWeights(lease, module, weights);
  lease.beginStep();
  const t = new Tape(lease, { record: false, precision: 'f32x3' });
  const given = t.alloc(ROWS, COLS);
  lease.stream.write(given, x);
  linear(t, given, copy.weights.get('first'));
  const y = linear(t, given, copy.weights.get('second'));
  expect(reads()).toBe(2);
  await near(lease, y, x, w);
  copy.free();
  await workspace.dispose();
});

it('sums by FMA where what was read once is not finite', async () => {
  const { workspace, weights, tape } = await setUp();
  const [x, w] = [numbers(ROWS * COLS, 1), numbers(OUT * COLS, 2)];
  x[3 * COLS] = Number.NaN;
  weights.values.write(
    new Map([
      ['first', w],
      ['second', w],
    ]),
  );
  workspace.beginStep();
  const t = tape();
  const given = t.alloc(ROWS, COLS);
  workspace.stream.write(given, x);
  const ys = ['first', 'second'].map((name) => linear(t, given, weights.get(name)));
  for (const y of ys) {
    const got = await workspace.read(y);
    const isNaNs = Array.from({ length: ROWS }, (_, row) => got.slice(row * OUT, (row + 1) * OUT).every(Number.isNaN));
    expect(isNaNs).toEqual(isNaNs.map((_, row) => row === 3));
  }
  await workspace.dispose();
});

it('knows none after what is recorded was submitted', async () => {
  const { workspace, weights, reads, tape } = await setUp();
  workspace.beginStep();
  const t = tape();
  const x = t.alloc(ROWS, COLS);
  linear(t, x, weights.get('first'));
  await workspace.stream.flush();
  linear(t, x, weights.get('first'));
  expect(reads()).toBe(4);
  await workspace.dispose();
});

it('has room for more tensors than it began with, in a section that is recorded twice and then known', async () => {
  const { workspace, reads, tape } = await setUp();
  const x = workspace.create('data', 'x', [ROWS, COLS]);
  const w = workspace.create('data', 'w', [OUT, COLS]);
  const host = [numbers(ROWS * COLS, 1), numbers(OUT * COLS, 2)] as const;
  workspace.stream.write(x, host[0]);
  workspace.stream.write(w, host[1]);
  const last = workspace.create('data', 'result', [ROWS, OUT]);
  const record = () => {
    const t = tape();
    linear(t, x, w);
    for (let i = 0; i < 600; i++) workspace.ranges.add(t.alloc(1, COLS));
    workspace.stream.copy(linear(t, x, w), last); // by what was read before there was more room
  };
  const section = new Section();
  const counts: number[] = [];
  for (let step = 0; step < 5; step++) {
    const before = reads();
    workspace.beginStep();
    workspace.stream.clear(last);
    workspace.repeat(section, record);
    counts.push(reads() - before);
    await near(workspace, last, ...host);
  }
  expect(counts).toEqual([2, 2, 2, 0, 0]);
  await workspace.dispose();
});
