import { lossBackward, lossForward, lossTotal } from '../../src/kernels/loss.ts';
import { lossGradient, randn, sampleLosses } from '../reference/index.ts';
import { type KernelCase, prepared } from './case.ts';

interface Sizes {
  batch: number;
  channels: number;
  pixels: number;
  c: number;
  cosine: boolean;
}

function lossCase(kernel: 'lossForward' | 'lossBackward', o: Sizes, extra: Partial<KernelCase> = {}): KernelCase {
  const { batch, channels, pixels, c, cosine } = o;
  const count = batch * channels * pixels;
  const forward = kernel === 'lossForward';
  return {
    kernel,
    name: `${batch}x${channels}x${pixels} c ${c}${cosine ? ' cosine' : ''}`,
    variant: cosine ? 'cosine' : 'root',
    shape: [batch, channels, pixels],
    tolerance: 2e-6,
    toleranceFrom: 'f32 rounding of sums of squares over a sample, 16 ulp',
    flops: count * (cosine ? 12 : 4),
    bytes: count * 4 * (forward ? 2 : 3),
    ...extra,
    prepare: (device) => {
      const prediction = Float32Array.from(randn(count, 1));
      const target = Float32Array.from(randn(count, 2));
      const problem = { ...o, prediction, target };
      const { losses, roots } = sampleLosses(problem);
      if (forward) {
        return prepared(
          lossForward.prepare(device, { cosine }),
          { batch, channels, pixels, c },
          {
            inputs: { prediction, target_value: target },
            outputs: { per_sample: batch, root: batch },
            oracle: () => ({ per_sample: losses, root: roots }),
          },
        );
      }
      const weights = Float32Array.from(randn(batch, 3));
      return prepared(
        lossBackward.prepare(device, { cosine }),
        { batch, channels, pixels },
        {
          inputs: { prediction, target_value: target, root: Float32Array.from(roots), weights },
          outputs: { dprediction: count },
          oracle: () => ({ dprediction: lossGradient(problem, weights) }),
        },
      );
    },
  };
}

function totalCase(batch: number, extra: Partial<KernelCase> = {}): KernelCase {
  return {
    kernel: 'lossTotal',
    name: `${batch}`,
    variant: 'f32',
    shape: [batch],
    tolerance: 2e-6,
    toleranceFrom: 'f32 rounding of a sum over the batch, 16 ulp',
    flops: batch * 2,
    bytes: batch * 8,
    ...extra,
    prepare: (device) => {
      const per_sample = Float32Array.from(randn(batch, 1), Math.abs);
      const weights = Float32Array.from(randn(batch, 2), Math.abs);
      const total = new Float32Array([7, 8, 9]);
      const mean = per_sample.reduce((sum, loss, i) => sum + loss * (weights[i] as number), 0) / batch;
      return prepared(
        lossTotal.prepare(device),
        { batch, slot: 1, slots: 3 },
        { inputs: { per_sample, weights, total }, outputs: { total: 3 }, oracle: () => ({ total: [7, mean, 9] }) },
      );
    },
  };
}

export const lossCases: KernelCase[] = [
  ...(['lossForward', 'lossBackward'] as const).flatMap((kernel) => [
    lossCase(kernel, { batch: 2, channels: 3, pixels: 7, c: 0, cosine: true }, { smoke: true }),
    lossCase(kernel, { batch: 1, channels: 1, pixels: 1, c: 0.5, cosine: false }),
    lossCase(kernel, { batch: 41, channels: 4, pixels: 113, c: 0.01, cosine: true }),
    lossCase(kernel, { batch: 3, channels: 41, pixels: 257, c: 0, cosine: false }),
    lossCase(kernel, { batch: 65539, channels: 1, pixels: 3, c: 0, cosine: false }),
    lossCase(kernel, { batch: 1, channels: 2, pixels: 65539, c: 0, cosine: true }),
    lossCase(kernel, { batch: 256, channels: 4, pixels: 1024, c: 0, cosine: true }, { benchOnly: true }),
  ]),
  totalCase(3, { smoke: true }),
  totalCase(1),
  totalCase(257),
  totalCase(65539),
];
