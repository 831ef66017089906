import { type LossSumOptions, lossBackward, lossForward, lossTotal } from '../../src/kernels/loss.ts';
import { lossGradient, randn, sampleLosses } from '../reference/index.ts';
import { type KernelCase, prepared } from './case.ts';

type Tensors = { prediction: Float32Array; target: Float32Array };

/** Inputs that random numbers do not hit, made of those. */
const EDGES = {
  /** Sample 0 meets its target: its root is 0. */
  met: ({ prediction, target }: Tensors, { channels, pixels }: Sizes) => {
    return { target, prediction: prediction.map((v, i) => (i < channels * pixels ? (target[i] as number) : v)) };
  },
  /** Close to the target beside a large c: root - c would cancel. */
  near: ({ prediction, target }: Tensors) => {
    return { target, prediction: prediction.map((v, i) => (target[i] as number) + v / 32) };
  },
  /** No prediction has a norm. */
  null: ({ prediction, target }: Tensors) => ({ target, prediction: prediction.map(() => 0) }),
  /** Norms of the predictions on both sides of their floor, 1e-8. */
  tiny: ({ prediction, target }: Tensors) => ({ target, prediction: prediction.map((v) => v * 5e-9) }),
  /** Every third pixel's target has no norm. */
  'null targets': ({ prediction, target }: Tensors, { pixels }: Sizes) => {
    return { prediction, target: target.map((v, i) => ((i % pixels) % 3 === 0 ? 0 : v)) };
  },
};

interface Sizes {
  batch: number;
  channels: number;
  pixels: number;
  c: number;
  cosine: boolean;
  squared?: boolean;
  power?: number;
  /** The gradient of the sum over samples, not of their mean. */
  sum?: boolean;
  edge?: keyof typeof EDGES;
  tile?: LossSumOptions['tile'];
}

function tensors(o: Sizes): Tensors {
  const { batch, channels, pixels, edge } = o;
  const count = batch * channels * pixels;
  const made = { prediction: Float32Array.from(randn(count, 1)), target: Float32Array.from(randn(count, 2)) };
  return edge ? EDGES[edge](made, o) : made;
}

/** Operations an element: the squared difference and, with the cosine, three scalar products over channels; their slopes. */
const FLOPS = { lossForward: { root: 3, cosine: 9 }, lossBackward: { root: 2, cosine: 12 } };

function lossCase(kernel: 'lossForward' | 'lossBackward', o: Sizes, extra: Partial<KernelCase> = {}): KernelCase {
  const { batch, channels, pixels, c, cosine, squared = false, power, sum = false, edge, tile } = o;
  const count = batch * channels * pixels;
  const forward = kernel === 'lossForward';
  return {
    kernel,
    name: [
      `${batch}x${channels}x${pixels} c ${c}`,
      cosine && 'cosine',
      squared && 'squared',
      power !== undefined && `power ${power}`,
      sum && 'of the sum',
      edge,
      tile && `${tile.lanes} lanes`,
    ]
      .filter(Boolean)
      .join(' '),
    variant: power !== undefined ? 'powered' : cosine ? 'cosine' : 'root',
    shape: [batch, channels, pixels],
    tolerance: 2e-6,
    toleranceFrom: 'f32 rounding of sums of squares over a sample, 16 ulp',
    flops: count * FLOPS[kernel][cosine ? 'cosine' : 'root'],
    bytes: count * 4 * (forward ? 2 : 3),
    forced: tile !== undefined,
    ...extra,
    prepare: (device) => {
      const { prediction, target } = tensors(o);
      const problem = { ...o, prediction, target };
      const { losses, roots } = sampleLosses(problem);
      if (forward) {
        return prepared(
          lossForward.prepare(device, { cosine, squared, powered: power !== undefined, tile }),
          { batch, channels, pixels, c, ...(power !== undefined && { power }) },
          {
            inputs: { prediction, target_value: target },
            outputs: { per_sample: batch, root: batch },
            oracle: () => ({ per_sample: losses, root: squared ? roots.map(() => 0.5) : roots }),
          },
        );
      }
      const weights = Float32Array.from(randn(batch, 3));
      return prepared(
        lossBackward.prepare(device, { cosine }),
        { batch, channels, pixels, ...(sum && { mean_of: 1 }) },
        {
          inputs: {
            prediction,
            target_value: target,
            root: Float32Array.from(roots, (r) => (squared ? 0.5 : r)),
            weights,
          },
          outputs: { dprediction: count },
          oracle: () => ({ dprediction: lossGradient(problem, sum ? weights.map((w) => w * batch) : weights) }),
        },
      );
    },
  };
}

function totalCase(batch: number, tile?: LossSumOptions['tile'], extra: Partial<KernelCase> = {}): KernelCase {
  return {
    kernel: 'lossTotal',
    name: `${batch}${tile ? ` ${tile.lanes} lanes` : ''}`,
    variant: 'f32',
    shape: [batch],
    tolerance: 2e-6,
    toleranceFrom: 'f32 rounding of a sum over the batch, 16 ulp',
    flops: batch * 2,
    bytes: batch * 8,
    forced: tile !== undefined,
    ...extra,
    prepare: (device) => {
      const per_sample = Float32Array.from(randn(batch, 1), Math.abs);
      const weights = Float32Array.from(randn(batch, 2), Math.abs);
      const total = new Float32Array([0.125, 8, 0.25]); // small neighbours, which do not hide the mean's error
      const mean = per_sample.reduce((sum, loss, i) => sum + loss * (weights[i] as number), 0) / batch;
      return prepared(
        lossTotal.prepare(device, { tile }),
        { batch, slot: 1, slots: 3 },
        {
          inputs: { per_sample, weights, total },
          outputs: { total: 3 },
          oracle: () => ({ total: [0.125, mean, 0.25] }),
        },
      );
    },
  };
}

const POWER = { tolerance: 1e-5, toleranceFrom: 'pow and log as WGSL bounds them: by exp2 and log2' };

export const lossCases: KernelCase[] = [
  ...(['lossForward', 'lossBackward'] as const).flatMap((kernel) => [
    lossCase(kernel, { batch: 2, channels: 3, pixels: 7, c: 0, cosine: true }, { smoke: true }),
    lossCase(kernel, { batch: 1, channels: 1, pixels: 1, c: 0.5, cosine: false }),
    lossCase(kernel, { batch: 41, channels: 4, pixels: 113, c: 0.01, cosine: true }),
    lossCase(kernel, { batch: 3, channels: 41, pixels: 257, c: 0, cosine: false }),
    lossCase(kernel, { batch: 65539, channels: 1, pixels: 3, c: 0, cosine: false }),
    lossCase(kernel, { batch: 1, channels: 2, pixels: 65539, c: 0, cosine: true }),
    lossCase(kernel, { batch: 3, channels: 4, pixels: 257, c: 5, cosine: false }),
    lossCase(kernel, { batch: 41, channels: 3, pixels: 113, c: 0, cosine: false, squared: true }),
    lossCase(kernel, { batch: 3, channels: 3, pixels: 7, c: 0, cosine: true, squared: true }),
    ...[0.5, 0.75, 1].map((power) =>
      lossCase(kernel, { batch: 41, channels: 3, pixels: 113, c: 0.01, cosine: false, power }, POWER),
    ),
    lossCase(kernel, { batch: 3, channels: 4, pixels: 41, c: 0.001, cosine: true, power: 1, edge: 'near' }, POWER),
    lossCase(kernel, { batch: 3, channels: 4, pixels: 41, c: 5, cosine: false, edge: 'near' }),
    ...(['met', 'null', 'tiny', 'null targets'] as const).map((edge) =>
      lossCase(kernel, { batch: 3, channels: 4, pixels: 41, c: 0, cosine: true, edge }),
    ),
    lossCase(kernel, { batch: 256, channels: 4, pixels: 1024, c: 0, cosine: true }, { benchOnly: true }),
  ]),
  lossCase('lossBackward', { batch: 41, channels: 3, pixels: 113, c: 0, cosine: false, squared: true, sum: true }),
  lossCase('lossForward', { batch: 3, channels: 4, pixels: 1, c: 0.5, cosine: true, tile: { lanes: 256 } }),
  lossCase('lossForward', { batch: 41, channels: 3, pixels: 257, c: 0, cosine: true, tile: { lanes: 256 } }),
  lossCase('lossForward', { batch: 3, channels: 1, pixels: 70001, c: 0, cosine: false, tile: { lanes: 256 } }), // runs of 256 256
  totalCase(3, undefined, { smoke: true }),
  totalCase(1),
  totalCase(257),
  totalCase(65539),
  totalCase(3, { lanes: 256 }),
  totalCase(65539, { lanes: 256 }),
  totalCase(4096, undefined, { benchOnly: true }),
];
