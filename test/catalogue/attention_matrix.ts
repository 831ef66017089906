/** Cases of attention on subgroup matrices: heads of whole matrices and not, blocks that sizes do not fill, shared heads. */
import {
  attentionDims,
  type MatrixAttention,
  type MatrixAttentionOptions,
  matrixAttention,
  matrixAttentionBackward,
  matrixAttentionBackwardQ,
} from '../../src/kernels/attention_matrix.ts';
import {
  type AttentionProblem,
  attentionGradients,
  attention as oracle,
  queryDots,
  randn,
} from '../reference/index.ts';
import { scoreGradients } from './attention_case.ts';
import { halves, type KernelCase, type PreparedCase, prepared } from './case.ts';

type Which = 'matrixAttention' | 'matrixAttentionBackward' | 'matrixAttentionBackwardQ';
type Sizes = readonly [batch: number, heads: number, n: number, headDim: number];
type How = {
  keys?: number;
  kvHeads?: number;
  /** Factor of the scores; 1 / sqrt(headDim) if left out. */
  scale?: number;
  /** Other families than the device's own. */
  families?: MatrixAttention;
};

export const MATRIX_ATTENTION: readonly Which[] = [
  'matrixAttention',
  'matrixAttentionBackward',
  'matrixAttentionBackwardQ',
];
const FEATURES = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'];
const OWN: MatrixAttention = {
  forward: matrixAttention,
  backward: matrixAttentionBackward,
  backwardQ: matrixAttentionBackwardQ,
};
/** Products of n x keys x a head, and tensors of n x headDim. */
const WORK = {
  matrixAttention: { products: 2, tensors: 4 },
  matrixAttentionBackward: { products: 4, tensors: 6 },
  matrixAttentionBackwardQ: { products: 1, tensors: 2 },
};
const HALVES = ['q', 'k', 'v', 'out', 'dout', 'dq', 'dk', 'dv', 'dscores'];

/** One kernel; outputs are halves, weights and gradients by scores are rounded to halves once on the way. */
export function matrixAttentionCase(
  kernel: Which,
  sizes: Sizes,
  { keys, kvHeads, scale, families }: How = {},
  extra: Partial<KernelCase> = {},
): KernelCase {
  const [batch, heads, n, headDim] = sizes;
  const of = { keys: keys ?? n, kvHeads: kvHeads ?? heads };
  const rows = batch * heads * n;
  const marks = Object.entries({ keys, kvHeads, scale }).filter(([, value]) => value !== undefined);
  return {
    kernel,
    name: `${[sizes.join('x'), ...marks.map(([name, value]) => `${name} ${value}`)].join(' ')}`,
    variant: 'f16',
    shape: [...sizes],
    tolerance: 1e-4,
    toleranceFrom: 'weights and gradients by scores as halves, 2^-12 of each, in sums that do not cancel',
    ...(families ? {} : { needs: FEATURES, forced: true }), // choosable.ts offers them where they are chosen
    flops: 2 * WORK[kernel].products * rows * of.keys * headDim,
    bytes: 2 * rows * WORK[kernel].tensors * headDim + (kernel === 'matrixAttention' ? 0 : 2 * rows * of.keys),
    ...extra,
    prepare: (device) => ({
      ...prepareCase(device, kernel, sizes, { ...of, ...(scale && { scale }) }, families ?? OWN, extra.benchOnly),
      halves: HALVES,
    }),
  };
}

function prepareCase(
  device: GPUDevice,
  kernel: Which,
  [batch, heads, n, headDim]: Sizes,
  { keys, kvHeads, scale }: { keys: number; kvHeads: number; scale?: number },
  families: MatrixAttention,
  first = false,
): PreparedCase {
  const tensor = (count: number, seed: number) => halves(Float32Array.from(randn(count, seed)));
  const [q, dout] = [1, 4].map((seed) => tensor(batch * heads * n * headDim, seed)) as [Float32Array, Float32Array];
  const [k, v] = [2, 3].map((seed) => tensor(batch * kvHeads * keys * headDim, seed)) as [Float32Array, Float32Array];
  const samples = first ? 1 : batch;
  const some = (t: Float32Array) => t.slice(0, (t.length / batch) * samples);
  const problem: AttentionProblem = {
    ...{ batch: samples, heads, n, headDim, keys, kvHeads, q: some(q), k: some(k), v: some(v) },
    scale: Math.fround(scale ?? headDim ** -0.5),
  };
  const shape = { batch, heads, n, head_dim: headDim, keys, kv_heads: kvHeads };
  const all = attentionDims(shape, scale === undefined ? {} : { scale });
  const { batch: b, heads: h, kv_heads, n: queries, keys: columns, head_dim, scale: factor } = all;
  const dims = { batch: b, heads: h, kv_heads, n: queries, keys: columns, head_dim, scale: factor };
  const options: MatrixAttentionOptions = { headDim, grouped: kvHeads !== heads };
  if (kernel === 'matrixAttention') {
    return prepared(families.forward.prepare(device, options), dims, {
      inputs: { q, k, v },
      outputs: { out: q.length, lse: batch * heads * n },
      oracle: () => oracle(problem),
    });
  }
  const line = Math.ceil(n / 8) * 8;
  const stored = batch * heads * keys * line;
  const slopes = () => scoreGradients(problem, some(dout), line);
  const gradients = () => attentionGradients(problem, some(dout));
  if (kernel === 'matrixAttentionBackwardQ') {
    const dscores = new Float32Array(stored);
    dscores.set(slopes());
    return prepared(families.backwardQ.prepare(device, options), dims, {
      inputs: { k, dscores: halves(dscores) },
      outputs: { dq: q.length },
      oracle: () => ({ dq: gradients().dq }),
    });
  }
  const { out, lse } = oracle(problem);
  const delta = queryDots(problem, out, some(dout));
  const rows = new Float32Array(2 * batch * heads * n);
  // The samples that the oracle leaves out take the first one's.
  for (let i = 0; i < rows.length / 2; i++) rows.set([lse[i % delta.length]!, delta[i % delta.length]!], 2 * i);
  return prepared(families.backward.prepare(device, options), dims, {
    inputs: { q, k, v, dout, rows },
    outputs: { dk: k.length, dv: v.length, dscores: stored },
    oracle: () => {
      const { dk, dv } = gradients();
      return { dk, dv, dscores: slopes() };
    },
  });
}

/** Sizes that no block divides; one key; heads of whole matrices and of half of one more; shared heads; scores that grow as keys go on. */
const SHAPES: readonly (readonly [Sizes, How])[] = [
  [[2, 3, 37, 16], {}],
  [[1, 2, 141, 24], { keys: 77 }],
  [[1, 2, 64, 72], { keys: 131 }],
  [[1, 1, 1, 8], { keys: 1 }],
  [[2, 4, 19, 64], { kvHeads: 2, keys: 70 }],
  [[1, 2, 67, 40], { keys: 200, scale: 2 }],
];

const REALISTIC: readonly Sizes[] = [
  [16, 16, 256, 72],
  [32, 6, 256, 64],
  [64, 3, 64, 64],
  [32, 12, 256, 32],
];

const all = (shapes: readonly (readonly [Sizes, How])[], more: How = {}, extra: Partial<KernelCase> = {}) =>
  shapes.flatMap(([sizes, how]) =>
    MATRIX_ATTENTION.map((kernel) => matrixAttentionCase(kernel, sizes, { ...how, ...more }, extra)),
  );

export const matrixAttentionCases: KernelCase[] = [
  ...all(SHAPES),
  matrixAttentionCase('matrixAttention', [1, 2, 67, 128], { keys: 150 }),
  matrixAttentionCase('matrixAttentionBackwardQ', [1, 2, 67, 128], { keys: 150 }),
];

export const matrixAttentionBench: KernelCase[] = [
  ...all(
    REALISTIC.map((sizes) => [sizes, {}]),
    {},
    { benchOnly: true },
  ),
  matrixAttentionCase('matrixAttention', [8, 12, 256, 128], {}, { benchOnly: true }),
];

/** A few of them over emulated shaders, which take seconds each to compile. */
export const emulatedAttentionCases = (families: MatrixAttention): KernelCase[] =>
  all([SHAPES[0]!, SHAPES[1]!, [[1, 4, 19, 16], { kvHeads: 2, keys: 133, scale: 3 }]], { families });
