import {
  choosePixels,
  groupNorm,
  groupNormBackwardMeans,
  groupNormBackwardSums,
  groupNormBackwardX,
  groupNormStats,
  groupNormSums,
} from '../../src/kernels/group_norm.ts';
import { groupNormed, groupNormGradients, groupStats, randn } from '../reference/index.ts';
import { type KernelCase, prepared } from './case.ts';

type GroupKernel =
  | 'groupNormSums'
  | 'groupNormStats'
  | 'groupNorm'
  | 'groupNormBackwardSums'
  | 'groupNormBackwardMeans'
  | 'groupNormBackwardX';

interface Sizes {
  batch: number;
  pixels: number;
  cols: number;
  groups: number;
  /** Pixels of a part. */
  chunk: number;
}

const EPS = 1e-6;

/** Sums of each channel over parts of `chunk` pixels: [parts, 2, cols]. */
function byPart({ batch, pixels, cols, chunk }: Sizes, pair: readonly ArrayLike<number>[]): Float64Array {
  const parts = (batch * pixels) / chunk;
  const out = new Float64Array(parts * 2 * cols);
  for (let i = 0; i < batch * pixels * cols; i++) {
    const part = Math.floor(i / cols / chunk);
    pair.forEach((numbers, which) => {
      const at = (2 * part + which) * cols + (i % cols);
      out[at] = (out[at] as number) + (numbers[i] as number);
    });
  }
  return out;
}

/** Mean, and squared distances from it, of each channel in each part. */
function spreads(x: ArrayLike<number>, o: Sizes): Float64Array {
  const sums = byPart(o, [x, new Float64Array(x.length)]);
  const mean = (i: number) => (sums[2 * Math.floor(i / o.cols / o.chunk) * o.cols + (i % o.cols)] as number) / o.chunk;
  const squares = Float64Array.from({ length: x.length }, (_, i) => ((x[i] as number) - mean(i)) ** 2);
  return byPart(o, [Float64Array.from({ length: x.length }, (_, i) => (x[i] as number) / o.chunk), squares]);
}

function groupCase(
  kernel: GroupKernel,
  o: Sizes,
  { silu = false, prior = false, offset = 0.7 }: { silu?: boolean; prior?: boolean; offset?: number } = {},
  extra: Partial<KernelCase> = {},
): KernelCase {
  const { batch, pixels, cols, groups } = o;
  const rows = batch * pixels;
  const all = rows * cols;
  const words = [...(silu ? ['silu'] : []), ...(prior ? ['prior'] : []), ...(offset > 1 ? ['of a large mean'] : [])];
  return {
    kernel,
    name: `${words.map((word) => `${word} `).join('')}${batch}x${pixels}x${cols} in ${groups} by ${o.chunk}`,
    variant: words.join('+') || 'plain',
    shape: [batch, pixels, cols],
    tolerance: offset > 1 ? 2e-4 : 3e-6,
    toleranceFrom: offset > 1 ? 'the rounding of x itself, 2^-24 of a mean of 1000' : 'f32 rounding of sums, 24 ulp',
    flops: all * 8,
    bytes: all * (kernel === 'groupNormBackwardX' ? 12 : kernel === 'groupNormSums' ? 4 : 8),
    ...extra,
    prepare: (device) => {
      const x = Float32Array.from(randn(all, 1), (v) => v * 1.5 + offset);
      const dy = Float32Array.from(randn(all, 2));
      const [weight, bias] = [3, 4].map((seed) => Float32Array.from(randn(cols, seed))) as [Float32Array, Float32Array];
      const before = Float32Array.from(randn(all, 5));
      const chunk = extra.benchOnly ? choosePixels(batch, pixels, cols) : o.chunk;
      const chunks = { ...o, chunk };
      const problem = { batch, pixels, cols, groups, eps: EPS, silu, x, weight, bias };
      const stats = Float32Array.from(groupStats(problem));
      const dims = { cols, pixels, groups };
      const through: { [binding: string]: Float32Array } = silu ? { weight, bias } : {};
      const partials = (rows / chunk) * 2 * cols;
      const gradients = () => groupNormGradients(problem, dy);
      switch (kernel) {
        case 'groupNormSums':
          return prepared(
            groupNormSums.prepare(device),
            { rows, ...dims, chunk_rows: chunk },
            {
              inputs: { x },
              outputs: { partial: partials },
              oracle: () => ({ partial: spreads(x, chunks) }),
            },
          );
        case 'groupNormStats':
          return prepared(
            groupNormStats.prepare(device),
            { batch, ...dims, chunk_rows: chunk, eps: EPS },
            {
              inputs: { partial: Float32Array.from(spreads(x, chunks)) },
              outputs: { stats: batch * groups * 2 },
              oracle: () => ({ stats: groupStats(problem) }),
            },
          );
        case 'groupNorm':
          return prepared(
            groupNorm.prepare(device, { silu }),
            { rows, ...dims },
            {
              inputs: { x, stats, weight, bias },
              outputs: { y: all },
              oracle: () => ({ y: groupNormed(problem) }),
            },
          );
        case 'groupNormBackwardSums':
          return prepared(
            groupNormBackwardSums.prepare(device, { silu }),
            { rows, ...dims, chunk_rows: chunk },
            {
              inputs: { x, dy, stats, ...through },
              outputs: { partial: partials },
              oracle: () => {
                const { g, gXhat } = gradients();
                return { partial: byPart(chunks, [g, gXhat]) };
              },
            },
          );
        case 'groupNormBackwardMeans':
          return prepared(
            groupNormBackwardMeans.prepare(device),
            { batch, ...dims },
            {
              inputs: { sums: dy.subarray(0, batch * 2 * cols), weight },
              outputs: { means: batch * groups * 2 },
              oracle: () => ({
                means: Float64Array.from({ length: batch * groups * 2 }, (_, i) => {
                  const [row, which, width] = [i >> 1, i % 2, cols / groups];
                  const base = (2 * Math.floor(row / groups) + which) * cols;
                  let total = 0;
                  for (let c = (row % groups) * width; c < ((row % groups) + 1) * width; c++)
                    total += (weight[c] as number) * (dy[base + c] as number);
                  return total / (pixels * width);
                }),
              }),
            },
          );
        default: {
          const { g, gXhat, dx } = gradients();
          const size = (pixels * cols) / groups;
          const means = new Float32Array(batch * groups * 2);
          for (let i = 0; i < all; i++) {
            const at = Math.floor(i / cols / pixels) * groups + Math.floor((i % cols) / (cols / groups));
            const w = weight[i % cols] as number;
            means[2 * at] = (means[2 * at] as number) + (w * (g[i] as number)) / size;
            means[2 * at + 1] = (means[2 * at + 1] as number) + (w * (gXhat[i] as number)) / size;
          }
          return prepared(
            groupNormBackwardX.prepare(device, { silu, prior }),
            { rows, ...dims },
            {
              inputs: { x, dy, stats, means, weight, ...(silu && { bias }), ...(prior && { prior: before }) },
              outputs: { dx: all },
              oracle: () => ({ dx: dx.map((v, i) => v + (prior ? (before[i] as number) : 0)) }),
            },
          );
        }
      }
    },
  };
}

const KERNELS = [
  'groupNormSums',
  'groupNormStats',
  'groupNorm',
  'groupNormBackwardSums',
  'groupNormBackwardMeans',
  'groupNormBackwardX',
] as const;
const SMOKE = { batch: 2, pixels: 6, cols: 12, groups: 3, chunk: 3 };
const SIZES: Sizes[] = [
  { batch: 1, pixels: 41, cols: 37, groups: 37, chunk: 41 }, // one channel a group
  { batch: 3, pixels: 130, cols: 41, groups: 1, chunk: 65 },
  { batch: 2, pixels: 257, cols: 264, groups: 8, chunk: 257 },
];
const BENCH = { batch: 64, pixels: 1024, cols: 256, groups: 32, chunk: 1024 };

export const groupNormCases: KernelCase[] = [
  ...KERNELS.flatMap((kernel) => [
    groupCase(kernel, SMOKE, {}, { smoke: true }),
    ...SIZES.map((sizes) => groupCase(kernel, sizes)),
    groupCase(kernel, BENCH, { silu: kernel !== 'groupNormSums' }, { benchOnly: true, tolerance: 2e-5 }),
  ]),
  ...(['groupNorm', 'groupNormBackwardSums', 'groupNormBackwardX'] as const).map((kernel) =>
    groupCase(kernel, SMOKE, { silu: true }),
  ),
  groupCase('groupNormBackwardX', SMOKE, { silu: true, prior: true }),
  groupCase('groupNormStats', SIZES[1] as Sizes, { offset: 1000 }),
];
