/** Passes of convolutional networks in mixed precision, with subgroup matrices emulated, against the same passes in f32. */
import { expect, it, vi } from 'vitest';
import { type ConvolutionOptions, conv2d } from '../../src/autograd/ops/convolution.ts';
import { Tape } from '../../src/autograd/tape.ts';
import type { TunedNumbers } from '../../src/kernel/index.ts';
import type { MatrixConvOptions, MatrixConvWeightOptions } from '../../src/kernels/conv_matrix.ts';
import { createNetwork } from '../../src/models/registry.ts';
import { WeightStore } from '../../src/nn/weights.ts';
import { count, type PassPrecision, type Tensor, Workspace } from '../../src/tensor/index.ts';
import { relativeError } from '../catalogue/run.ts';
import { openDevice } from '../gpu.ts';
import { randn } from '../reference/index.ts';

/** The families over emulated shaders, which import the modules that they stand for: put in their place when all are there. */
const emulated = vi.hoisted(() => ({}) as typeof import('./emulated.ts'));

vi.mock('../../src/kernels/conv_matrix.ts', async (original) => {
  const real = await original<typeof import('../../src/kernels/conv_matrix.ts')>();
  const small = <O extends { tile: { tm: number; tn: number } }>(o: O): O => ({
    ...o,
    tile: { ...o.tile, tm: 2, tn: 2 },
  });
  return {
    ...real,
    matrixConv2d: {
      prepare: (device: GPUDevice, o: MatrixConvOptions) => emulated.emulatedConv.prepare(device, small(o)),
    },
    matrixConv2dBackwardWeight: {
      prepare: (device: GPUDevice, o: MatrixConvWeightOptions) => emulated.emulatedConvWeight.prepare(device, small(o)),
    },
  };
});

/** Attention has tests of its own: here it is that of devices without matrices, of halves. */
vi.mock('../../src/kernels/attention_matrix_tile.ts', async (original) => ({
  ...(await original<typeof import('../../src/kernels/attention_matrix_tile.ts')>()),
  attentionOnMatrices: () => false,
}));

Object.assign(emulated, await import('./emulated.ts'));

const MATRICES = {
  f16: true,
  subgroups: { least: 32, most: 32 },
  matrices: [{ components: 'f16', result: 'f32', m: 16, n: 16, k: 16 }],
  maxWorkgroupMemory: 32768,
};
/** With more workgroup memory than by default, as devices with subgroup matrices have. */
let device: Promise<GPUDevice> | undefined;

/** Numbers with which the choice cuts k of small convolutions into parts. */
const CUTTING = { 'matrix.f16.minSplitK': 100, 'matrix.f16.partial': 1e-9, 'conv.secondPass': 1e-9 };

/** A workspace that takes its device for one with matrices where the precision is mixed, and the names of what it runs. */
async function opened(precision: PassPrecision, tuned?: TunedNumbers) {
  device ??= openDevice({});
  const workspace = new Workspace(await device);
  const caps = { ...workspace.caps, ...MATRICES, ...(tuned && { tuned }) };
  if (precision === 'mixed') Object.defineProperty(workspace, 'caps', { value: caps });
  const kernels = new Set<string>();
  const { run } = workspace.stream;
  workspace.stream.run = (kernel, buffers, dims) => {
    kernels.add(kernel.name);
    run.call(workspace.stream, kernel as never, buffers as never, dims as never);
  };
  workspace.beginStep();
  const tape = new Tape(workspace, { record: true, precision });
  const put = (shape: readonly number[], numbers: ArrayLike<number>) => {
    const tensor = workspace.arena.alloc(shape);
    workspace.stream.write(tensor, Float32Array.from(numbers));
    return tensor;
  };
  return { workspace, kernels, tape, put };
}

const normal = (shape: readonly number[], seed: number) => randn(count(shape), seed);
/** Whole numbers, so small that halves hold them, and f32 all sums of their products. */
const whole = (shape: readonly number[], seed: number) =>
  randn(count(shape), seed).map((v) => Math.max(-3, Math.min(3, Math.round(v))));

const IMAGE = [2, 6, 5, 16];
const SHAPES = { x: IMAGE, second: [2, 6, 5, 24], weight: [24, 9 * 40], bias: [24], residual: [2, 6, 5, 24] };

/** One convolution of all that lies around it, its result and gradients. */
async function convolution(precision: PassPrecision, options: ConvolutionOptions = {}, tuned?: TunedNumbers) {
  const { workspace, kernels, tape, put } = await opened(precision, tuned);
  const given = Object.entries(SHAPES).map(([name, shape], i) => [name, tape.watch(put(shape, whole(shape, i)))]);
  const { x, second, weight, bias, residual } = Object.fromEntries(given) as Record<keyof typeof SHAPES, Tensor>;
  const beside = { second, scale: 2, scale2: 1 };
  const window = { size: [3, 3], padding: [1, 1] } as const;
  const y = conv2d(tape, x, weight, bias, window, { beside, residual, residualScale: 2, ...options });
  workspace.arena.retain(y);
  tape.backward(y, put(y.shape, whole(y.shape, 9)));
  const results = new Map([['y', await workspace.read(y)]]);
  for (const [name, tensor] of given as [string, Tensor][])
    results.set(`d${name}`, await workspace.read(tape.gradient(tensor)));
  await workspace.dispose();
  return { results, kernels };
}

const ON_MATRICES = ['conv2d_matrix', 'conv2d_bwd_weight_matrix'];

it('a convolution of whole numbers has the bits of f32', async () => {
  const [ours, exact] = [await convolution('mixed'), await convolution('f32')];
  expect([...ours.kernels]).toEqual(expect.arrayContaining([...ON_MATRICES, 'conv_halves']));
  expect([...ours.kernels]).not.toContain('conv2d_finish');
  for (const [name, wanted] of exact.results) expect(ours.results.get(name), name).toEqual(wanted);
});

for (const options of [{}, { act: 'relu', scale: 2 }] as const)
  it(`so it has in parts of k, with ${JSON.stringify(options)}`, async () => {
    const [ours, exact] = [await convolution('mixed', options, CUTTING), await convolution('f32', options)];
    expect([...ours.kernels]).toEqual(expect.arrayContaining([...ON_MATRICES, 'conv2d_finish']));
    for (const [name, wanted] of exact.results) expect(ours.results.get(name), name).toEqual(wanted);
  });

it('a convolution of a SiLU follows f32 in parts of k', async () => {
  const options = { silu: true, scale: 0.5 };
  const [ours, exact] = [await convolution('mixed', options, CUTTING), await convolution('f32', options)];
  expect([...ours.kernels]).toEqual(expect.arrayContaining([...ON_MATRICES, 'conv2d_finish']));
  for (const [name, wanted] of exact.results)
    expect(relativeError(ours.results.get(name) as Float32Array, wanted), name).toBeLessThan(10 * ROUNDINGS);
});

/** Two operands rounded to f16, of independent errors. */
const ROUNDINGS = 2 * 2 ** -11;

const sizes = {
  input_size: 8,
  in_channels: 3,
  num_classes: 3,
  model_channels: 16,
  channel_mult: [1, 2],
  num_blocks: 1,
};

/** Velocity and all gradients of a pass through a network of weights that no initial zero silences. */
async function pass(name: 'EDM2' | 'UNet+', precision: PassPrecision) {
  const { workspace, kernels, tape, put } = await opened(precision);
  const network = createNetwork(name, { ...sizes, attn_resolutions: [], dropout: 0 } as never);
  const weights = new WeightStore(workspace, network).trainable(1);
  network.parameters.forEach(({ name, shape }, i) => {
    const row = count(shape) / (shape[0] as number);
    const numbers = normal(shape, i).map((v) => (shape.length > 1 ? v / Math.sqrt(row) : 1 + 0.1 * v));
    workspace.stream.write(weights.get(name), Float32Array.from(numbers));
  });
  const batch = 2;
  const y = tape.allocAs('u32', batch);
  workspace.stream.write(y, Uint32Array.of(1, 2));
  const x = put([batch, ...network.input], normal([batch, ...network.input], 5));
  const out = network.forward(tape, weights, x, put([batch], [0.3, 0.7]), y);
  workspace.arena.retain(out);
  tape.backward(out, put(out.shape, normal(out.shape, 6)));
  const velocity = await workspace.read(out);
  const gradients: number[] = [];
  for (const { name } of network.parameters) {
    const own = await workspace.read(tape.gradient(weights.get(name)));
    const size = Math.hypot(...own) || 1;
    for (const v of own) gradients.push(v / size);
  }
  await workspace.dispose();
  return { velocity, gradients: Float32Array.from(gradients), kernels };
}

for (const name of ['EDM2', 'UNet+'] as const)
  it(`a pass through ${name} follows f32`, async () => {
    const [ours, exact] = [await pass(name, 'mixed'), await pass(name, 'f32')];
    expect([...ours.kernels]).toEqual(expect.arrayContaining(ON_MATRICES));
    for (const part of ['velocity', 'gradients'] as const) {
      const error = relativeError(ours[part], exact[part]);
      console.log(`${name}: ${part} ${error.toExponential(1)}`);
      expect(error, part).toBeLessThan(10 * ROUNDINGS);
    }
  });
