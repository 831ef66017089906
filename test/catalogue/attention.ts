import { capsOf } from '../../src/kernel/index.ts';
import {
  type AttentionTile,
  attention,
  attentionBackwardKV,
  attentionBackwardQ,
  attentionDelta,
  chooseAttention,
} from '../../src/kernels/attention.ts';
import { attentionGradients, attention as oracle, queryDots, randn } from '../reference/index.ts';
import { type KernelCase, prepared } from './case.ts';

type Which = 'attention' | 'attentionBackwardQ' | 'attentionBackwardKV';
type Sizes = readonly [batch: number, heads: number, n: number, headDim: number];

interface Options {
  tile?: AttentionTile;
  /** Factor of the scores, for sharp rows; 1 / sqrt(headDim) if left out. */
  scale?: number;
}

/** Products of n x n x headDim, and tensors of n x headDim and of n that have to be moved. */
const WORK = {
  attention: { products: 2, tensors: 4, rows: 1 },
  attentionBackwardQ: { products: 3, tensors: 5, rows: 2 },
  attentionBackwardKV: { products: 4, tensors: 6, rows: 2 },
};

const ROUNDING = {
  tolerance: 2e-6,
  toleranceFrom:
    'f32 rounding of scores of head_dim terms, of exp (WGSL: 3 + 2|x| ulp) and of a sum of n terms, 16 ulp',
};

/** One attention kernel; without a tile, that of the device. */
export function attentionCase(
  kernel: Which,
  sizes: Sizes,
  options: Options = {},
  extra: Partial<KernelCase> = {},
): KernelCase {
  const [batch, heads, n, headDim] = sizes;
  const { scale = 1 / Math.sqrt(headDim), tile } = options;
  const rows = batch * heads * n;
  const work = WORK[kernel];
  const marks = `${options.scale ? ` scale ${scale}` : ''}${tile ? ` tile ${Object.values(tile).join(' ')}` : ''}`;
  return {
    kernel,
    name: `${sizes.join('x')}${marks}`,
    variant: 'f32',
    shape: [...sizes],
    ...ROUNDING,
    forced: tile !== undefined,
    flops: 2 * work.products * rows * n * headDim,
    bytes: 4 * rows * (work.tensors * headDim + work.rows),
    ...extra,
    prepare: (device) => {
      const shape = { batch, heads, n, head_dim: headDim };
      const knobs = { headDim, tile: tile ?? chooseAttention(shape, capsOf(device)) };
      const dims = { ...shape, scale };
      const count = rows * headDim;
      const [q, k, v, dout] = [1, 2, 3, 4].map((seed) => Float32Array.from(randn(count, seed))) as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      // Of a case for the bench the oracle computes the first sample.
      const checked = extra.benchOnly ? 1 : batch;
      const first = (tensor: Float32Array) => tensor.subarray(0, checked * heads * n * headDim);
      const sizesChecked = { batch: checked, heads, n, headDim, scale: Math.fround(scale) };
      const problem = { ...sizesChecked, q: first(q), k: first(k), v: first(v) };
      if (kernel === 'attention') {
        return prepared(attention.prepare(device, knobs), dims, {
          inputs: { q, k, v },
          outputs: { out: count, lse: rows },
          oracle: () => oracle(problem),
        });
      }
      const forward = oracle(problem);
      const [lse, delta] = [new Float32Array(rows), new Float32Array(rows)];
      lse.set(forward.lse);
      delta.set(queryDots(problem, forward.out, first(dout)));
      const inputs = { q, k, v, dout, lse, delta };
      if (kernel === 'attentionBackwardQ') {
        return prepared(attentionBackwardQ.prepare(device, knobs), dims, {
          inputs,
          outputs: { dq: count },
          oracle: () => ({ dq: attentionGradients(problem, first(dout)).dq }),
        });
      }
      return prepared(attentionBackwardKV.prepare(device, knobs), dims, {
        inputs,
        outputs: { dk: count, dv: count },
        oracle: () => {
          const { dk, dv } = attentionGradients(problem, first(dout));
          return { dk, dv };
        },
      });
    },
  };
}

function deltaCase(sizes: Sizes, extra: Partial<KernelCase> = {}): KernelCase {
  const [batch, heads, n, headDim] = sizes;
  const rows = batch * heads * n;
  return {
    kernel: 'attentionDelta',
    name: sizes.join('x'),
    variant: 'f32',
    shape: [...sizes],
    tolerance: 1e-6,
    toleranceFrom: 'f32 rounding of a sum of head_dim products, 8 ulp',
    flops: 2 * rows * headDim,
    bytes: 4 * rows * (2 * headDim + 1),
    ...extra,
    prepare: (device) => {
      const out = Float32Array.from(randn(rows * headDim, 1));
      const dout = Float32Array.from(randn(rows * headDim, 2));
      return prepared(
        attentionDelta.prepare(device),
        { batch, heads, n, head_dim: headDim },
        {
          inputs: { out, dout },
          outputs: { delta: rows },
          oracle: () => ({ delta: queryDots({ batch, heads, n, headDim }, out, dout) }),
        },
      );
    },
  };
}

const SMOKE = { smoke: true };
const BENCH = { benchOnly: true };

// Scores up to 250: exp of the bare score would overflow, and a row's weight sits on one or two keys.
const SHARP = {
  tolerance: 3e-5,
  toleranceFrom: 'f32 rounding of scores up to 250: 2 ulp of the exponent',
};

// The gradients of a softmax over one key are zero: what is compared is the rounding of a difference, absolutely.
const ONE_KEY = {
  tolerance: 4e-6,
  toleranceFrom: 'absolute f32 rounding of dout . v - delta, sums of head_dim terms, 32 ulp of 1',
};

const REALISTIC: Sizes[] = [
  [8, 12, 256, 64],
  [8, 16, 256, 72],
  [64, 3, 64, 64],
];

export const attentionCases: KernelCase[] = [
  ...(['attention', 'attentionBackwardQ', 'attentionBackwardKV'] as const).flatMap((kernel) => [
    attentionCase(kernel, [2, 3, 3, 8], {}, SMOKE),
    attentionCase(kernel, [2, 1, 1, 41], {}, kernel === 'attention' ? {} : ONE_KEY),
    attentionCase(kernel, [1, 2, 257, 1]),
    attentionCase(kernel, [1, 3, 41, 41], { tile: { rows: 32 } }),
    attentionCase(kernel, [2, 2, 113, 72]),
    // Unrolled as a GPU has it, which llvmpipe compiles in a time that grows faster than head_dim.
    attentionCase(kernel, [1, 2, 113, 24], { tile: { rows: 64 } }),
    attentionCase(kernel, [1, 1, 257, 64]),
    attentionCase(kernel, [1, 2, 41, 128]),
    attentionCase(kernel, [3, 1, 41, 8], { scale: 20 }, SHARP),
    attentionCase(kernel, [21847, 3, 3, 2]), // 196,623 rows; 65,541 workgroups: a grid folded to two dimensions
    ...REALISTIC.map((sizes) => attentionCase(kernel, sizes, {}, BENCH)),
  ]),
  deltaCase([2, 3, 3, 8], SMOKE),
  deltaCase([1, 1, 1, 1]),
  deltaCase([2, 3, 113, 41]),
  deltaCase([1, 3, 257, 128]),
  deltaCase([3, 7, 3121, 2]), // 65,541 rows
  ...REALISTIC.map((sizes) => deltaCase(sizes, BENCH)),
];
