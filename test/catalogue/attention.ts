import { capsOf } from '../../src/kernel/index.ts';
import {
  type AttentionOptions,
  type AttentionTile,
  attention,
  attentionBackwardKV,
  attentionBackwardMask,
  attentionBackwardQ,
  attentionDelta,
  attentionDims,
  attentionScores,
  chooseAttention,
} from '../../src/kernels/attention.ts';
import {
  type AttentionMask,
  type AttentionProblem,
  attentionGradients,
  attention as oracle,
  queryDots,
  randn,
  attentionScores as scoresOracle,
  uniform,
} from '../reference/index.ts';
import { type KernelCase, type PreparedCase, prepared } from './case.ts';

export type AttentionKernel = 'attention' | 'attentionBackwardQ' | 'attentionBackwardKV';
type Which = AttentionKernel | 'attentionBackwardMask';
type Sizes = readonly [batch: number, heads: number, n: number, headDim: number];

/** What the scores of a case have beside scale q . k. */
export interface Features {
  /** n, heads and headDim if left out. */
  keys?: number;
  kvHeads?: number;
  valueDim?: number;
  causal?: 'start' | 'end';
  offset?: number;
  /** A mask, and along which axes of the scores it differs: 'bhn' of all. Beside random numbers it hides every fifth key. */
  mask?: readonly ['added' | 'boolean', string];
  /** Valid keys of each sample; the others are NaN. */
  lengths?: readonly number[];
  softcap?: number;
}

interface Options extends Features {
  tile?: AttentionTile;
  /** Factor of the scores, for sharp rows; 1 / sqrt(headDim) if left out. */
  scale?: number;
}

/** Products of n x keys x a head, and tensors of n x headDim and of n that have to be moved. */
const WORK = {
  attention: { products: 2, tensors: 4, rows: 1 },
  attentionBackwardQ: { products: 3, tensors: 5, rows: 2 },
  attentionBackwardKV: { products: 4, tensors: 6, rows: 2 },
  attentionBackwardMask: { products: 2, tensors: 4, rows: 2 },
};

const ROUNDING = {
  tolerance: 2e-6,
  toleranceFrom:
    'f32 rounding of scores of head_dim terms, of exp (WGSL: 3 + 2|x| ulp) and of a sum of n terms, 16 ulp',
};

/** The options, dims and tensors of a case, and the problem of the oracle. */
function problemOf([batch, heads, n, headDim]: Sizes, o: Options, samples = batch) {
  const { keys = n, kvHeads = heads, valueDim = headDim, mask: kind, lengths, tile: _, scale, ...rest } = o;
  const sizes = (
    kind ? ['b', 'h', 'n'].map((axis, i) => (kind[1].includes(axis) ? [batch, heads, n][i] : 1)) : [1, 1, 1]
  ) as [number, number, number];
  const tensor = (count: number, seed: number) => Float32Array.from(randn(count, seed));
  const [q, dout] = [tensor(batch * heads * n * headDim, 1), tensor(batch * heads * n * valueDim, 4)];
  const [k, v] = [tensor(batch * kvHeads * keys * headDim, 2), tensor(batch * kvHeads * keys * valueDim, 3)];
  const mask: AttentionMask | undefined = kind && {
    kind: kind[0],
    sizes,
    data: maskData(kind[0], keys * sizes[0] * sizes[1] * sizes[2]),
  };
  const shape = { batch, heads, n, head_dim: headDim, keys, kv_heads: kvHeads, value_dim: valueDim };
  const numbers = {
    ...(scale !== undefined && { scale }),
    mask: sizes,
    offset: o.offset ?? 0,
    softcap: o.softcap ?? 0,
  };
  const options = {
    headDim,
    valueDim,
    grouped: kvHeads !== heads,
    ...(o.causal && { causal: o.causal }),
    ...(kind && { mask: kind[0] }),
    lengths: lengths !== undefined,
    softcap: o.softcap !== undefined,
  };
  // Of a case for the bench the oracle computes the first sample.
  const some = (t: Float32Array) => t.slice(0, (t.length / batch) * samples);
  const problem: AttentionProblem = {
    ...{ batch: samples, heads, n, headDim, keys, kvHeads, valueDim, mask, lengths, ...rest },
    ...{ q: some(q), k: some(k), v: some(v), scale: Math.fround(scale ?? headDim ** -0.5) },
  };
  if (lengths) [k, v].forEach((t) => void spoilPadding(t, lengths, kvHeads, keys));
  const words = mask && (mask.kind === 'added' ? (mask.data as Float32Array) : Uint32Array.from(mask.data));
  const inputs = { q, k, v, ...(words && { mask: words }) };
  return { shape, dims: attentionDims(shape, numbers), options, problem, inputs, dout, dout1: some(dout) };
}

function maskData(kind: 'added' | 'boolean', count: number): Float32Array {
  const numbers = Float32Array.from(randn(count, 5));
  const hides = uniform(count, 6).map((x) => (x < 0.2 ? 1 : 0));
  if (kind === 'boolean') return numbers.map((_, i) => (hides[i] ? 0 : 1 + (i % 7)));
  return numbers.map((x, i) => (hides[i] ? [Number.NEGATIVE_INFINITY, -3.4028234e38][i % 2]! : x));
}

/** What no result may depend on. */
function spoilPadding(t: Float32Array, lengths: readonly number[], kvHeads: number, keys: number): void {
  const row = t.length / lengths.length / kvHeads / keys;
  for (let at = 0; at < t.length; at++) {
    const [sample, key] = [Math.floor(at / row / keys / kvHeads), Math.floor(at / row) % keys];
    if (key >= lengths[sample]!) t[at] = Number.NaN;
  }
}

function marksOf(o: Options): string {
  const { tile, ...rest } = o;
  const marks = Object.entries(rest).map(
    ([name, value]) => ` ${name} ${Array.isArray(value) ? value.join('.') : value}`,
  );
  return marks.join('') + (tile ? ` tile ${Object.values(tile).join(' ')}` : '');
}

/** One attention kernel; without a tile, that of the device. */
export function attentionCase(
  kernel: Which,
  sizes: Sizes,
  options: Options = {},
  extra: Partial<KernelCase> = {},
): KernelCase {
  const [batch, heads, n, headDim] = sizes;
  const rows = batch * heads * n;
  const work = WORK[kernel];
  return {
    kernel,
    name: `${sizes.join('x')}${marksOf(options)}`,
    variant: 'f32',
    shape: [...sizes],
    ...ROUNDING,
    forced: options.tile !== undefined,
    flops: 2 * work.products * rows * (options.keys ?? n) * headDim,
    bytes: 4 * rows * (work.tensors * headDim + work.rows),
    ...extra,
    prepare: (device) => {
      const p = problemOf(sizes, options, extra.benchOnly ? 1 : batch);
      const knobs = { ...p.options, tile: options.tile ?? chooseAttention(p.shape, capsOf(device)) };
      const lengths = options.lengths && { lengths: Uint32Array.from(options.lengths) };
      if (kernel === 'attention') {
        return prepared(attention.prepare(device, knobs), p.dims, {
          inputs: { ...p.inputs, ...lengths },
          outputs: { out: p.dout.length, lse: rows },
          oracle: () => oracle(p.problem),
        });
      }
      return backward(device, kernel, p, knobs, options.lengths);
    },
  };
}

function backward(
  device: GPUDevice,
  kernel: Exclude<Which, 'attention'>,
  p: ReturnType<typeof problemOf>,
  knobs: AttentionOptions,
  lengths: readonly number[] | undefined,
): PreparedCase {
  const { problem, dims, dout, dout1 } = p;
  const forward = oracle(problem);
  const delta = queryDots({ ...problem, headDim: p.shape.value_dim }, forward.out, dout1);
  const count = dims.batch * dims.heads * dims.n;
  const rows = new Float32Array(2 * (count + (lengths ? dims.batch : 0)));
  delta.forEach((d, i) => void rows.set([forward.lse[i]!, d], 2 * i));
  lengths?.forEach((length, i) => void rows.set([length], 2 * (count + i)));
  const inputs = { ...p.inputs, dout, rows };
  const gradients = () => attentionGradients(problem, dout1);
  const outputs = (name: 'q' | 'k' | 'v' | 'mask') => ({ [`d${name}`]: inputs[name]!.length });
  if (kernel === 'attentionBackwardQ') {
    const oracle = () => ({ dq: gradients().dq });
    return prepared(attentionBackwardQ.prepare(device, knobs), dims, { inputs, outputs: outputs('q'), oracle });
  }
  if (kernel === 'attentionBackwardMask') {
    const { tile: _, ...rest } = knobs;
    const oracle = () => ({ dmask: gradients().dmask! });
    return prepared(attentionBackwardMask.prepare(device, rest), dims, { inputs, outputs: outputs('mask'), oracle });
  }
  return prepared(attentionBackwardKV.prepare(device, knobs), dims, {
    inputs,
    outputs: { ...outputs('k'), ...outputs('v') },
    oracle: () => {
      const { dk, dv } = gradients();
      return { dk, dv };
    },
  });
}

const STAGES = ['product', 'capped', 'masked', 'weights'] as const;

/** The matrix of scores. The last of the masked ones are minus infinity, which no error can be taken of: hidden ones are by a case of weights. */
function scoresCase(
  sizes: Sizes,
  stage: (typeof STAGES)[number],
  options: Options = {},
  extra: Partial<KernelCase> = {},
): KernelCase {
  const [batch, heads, n, headDim] = sizes;
  const keys = options.keys ?? n;
  const rows = batch * heads * n;
  return {
    kernel: 'attentionScores',
    name: `${stage} ${sizes.join('x')}${marksOf(options)}`,
    variant: stage,
    shape: [...sizes],
    ...ROUNDING,
    flops: 2 * rows * keys * headDim,
    bytes: 4 * rows * (2 * headDim + keys),
    ...extra,
    prepare: (device) => {
      const p = problemOf(sizes, options);
      const { valueDim: _, ...knobs } = p.options;
      const { v: __, ...inputs } = p.inputs;
      const lse = stage === 'weights' && { lse: Float32Array.from(oracle(p.problem).lse) };
      const lengths = options.lengths && { lengths: Uint32Array.from(options.lengths) };
      return prepared(attentionScores.prepare(device, { ...knobs, stage }), p.dims, {
        inputs: { ...inputs, ...lse, ...lengths },
        outputs: { scores: rows * keys },
        oracle: () => ({ scores: scoresOracle(p.problem, stage) }),
      });
    },
  };
}

function deltaCase(sizes: Sizes, extra: Partial<KernelCase> = {}, lengths?: readonly number[]): KernelCase {
  const [batch, heads, n, valueDim] = sizes;
  const count = batch * heads * n;
  return {
    kernel: 'attentionDelta',
    name: `${sizes.join('x')}${lengths ? ` lengths ${lengths.join('.')}` : ''}`,
    variant: 'f32',
    shape: [...sizes],
    tolerance: 1e-6,
    toleranceFrom: 'f32 rounding of a sum of head_dim products, 8 ulp',
    flops: 2 * count * valueDim,
    bytes: 4 * count * (2 * valueDim + 3),
    ...extra,
    prepare: (device) => {
      const [out, dout] = [1, 2].map((seed) => Float32Array.from(randn(count * valueDim, seed))) as [
        Float32Array,
        Float32Array,
      ];
      const lse = Float32Array.from(randn(count, 3));
      const dims = { batch, heads, n, value_dim: valueDim };
      const pairs = count + (lengths?.length ?? 0);
      return prepared(attentionDelta.prepare(device, { lengths: lengths !== undefined }), dims, {
        inputs: { out, dout, lse, ...(lengths && { lengths: Uint32Array.from(lengths) }) },
        outputs: { rows: 2 * pairs },
        oracle: () => {
          const rows = new Float64Array(2 * pairs);
          queryDots({ batch, heads, n, headDim: valueDim }, out, dout).forEach(
            (d, i) => void rows.set([lse[i]!, d], 2 * i),
          );
          lengths?.forEach((length, i) => void rows.set([length], 2 * (count + i)));
          return { rows };
        },
      });
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
  [16, 16, 256, 72],
  [32, 6, 256, 64],
  [64, 3, 64, 64],
];

export const ATTENTION_KERNELS = ['attention', 'attentionBackwardQ', 'attentionBackwardKV'] as const;

/** Each feature by itself, and several together, at sizes that no tile divides. Names are part of no case. */
const FEATURES: readonly (readonly [Sizes, Features])[] = [
  [[2, 3, 13, 8], { keys: 29 }],
  [[2, 3, 29, 8], { keys: 13 }],
  [[2, 6, 11, 8], { kvHeads: 2, keys: 19 }],
  [[2, 5, 11, 8], { kvHeads: 1 }],
  [[2, 3, 13, 12], { valueDim: 20 }],
  [[2, 3, 11, 20], { valueDim: 7 }],
  [[2, 3, 37, 8], { causal: 'start' }],
  [[1, 3, 13, 8], { keys: 31, causal: 'start', offset: 18 }],
  [[1, 3, 41, 8], { keys: 23, causal: 'end', offset: -3 }], // the first 21 queries see no key
  [[3, 2, 13, 8], { keys: 31, lengths: [31, 7, 0] }],
  [[3, 2, 13, 8], { keys: 31, lengths: [1, 24, 29], causal: 'end' }],
  [[2, 3, 13, 8], { mask: ['added', 'bhn'], keys: 37 }],
  [[2, 3, 13, 8], { mask: ['added', 'h'], keys: 37 }],
  [[2, 3, 13, 8], { mask: ['boolean', 'bn'], keys: 37 }],
  [[2, 3, 13, 8], { mask: ['boolean', 'n'] }],
  [[2, 3, 13, 8], { softcap: 1.5 }],
  [
    [2, 4, 37, 12],
    {
      ...{ keys: 43, kvHeads: 2, valueDim: 9, causal: 'end', offset: 1, lengths: [43, 40] },
      ...{ mask: ['added', 'hn'], softcap: 2 },
    },
  ],
  [
    [2, 4, 37, 12],
    { keys: 43, kvHeads: 2, valueDim: 8, causal: 'start', offset: 6, lengths: [43, 11], mask: ['boolean', 'bn'] },
  ],
];

/** Heads past what tiles hold, masks of every kind of broadcasting, larger sizes: for the device's own choice. */
const MORE_FEATURES: readonly (readonly [Sizes, Features])[] = [
  [[1, 1, 1, 1], { keys: 1, causal: 'start' }],
  [[1, 2, 1, 8], { keys: 113, kvHeads: 1, lengths: [97], causal: 'end' }], // a step of decoding
  [[1, 2, 41, 256], { keys: 13 }],
  [[1, 2, 13, 8], { valueDim: 250 }],
  [[1, 2, 17, 193], { valueDim: 131, causal: 'start' }],
  [[1, 2, 113, 64], { keys: 77, mask: ['added', 'hn'] }],
];

/** The smallest tile: llvmpipe compiles it in ten seconds, and the one a GPU gets for long sequences in a minute. */
export const SMALL_TILE = { kind: 'tiled', rows: 32, cols: 32, chunk: 8, slice: 8 } as const;
/** As a GPU has it where heads are too large or queries too few. */
const BARE_TILE = { rows: 32 } as const;

// A query that sees one key has no gradient of q, and what is left of it is rounding; so with scores that are capped.
const CANCELS = {
  tolerance: 5e-6,
  toleranceFrom: 'f32 rounding of dout . v - delta, which cancels where few keys are seen, beside that of the others',
};

const featureCases = (all: typeof FEATURES, tile?: AttentionTile): KernelCase[] =>
  all.flatMap(([sizes, features]) =>
    ATTENTION_KERNELS.map((kernel) =>
      attentionCase(kernel, sizes, { ...features, ...(tile && { tile }) }, kernel === 'attention' ? {} : CANCELS),
    ),
  );

/** The features in tiles, few a kernel: each is a variant to compile. */
export const tiledFeatureCases = featureCases(
  FEATURES.filter(([, f]) => Object.keys(f).length > 4 || f.valueDim === 7 || (f.causal && !f.keys)),
  SMALL_TILE,
);

export const attentionCases: KernelCase[] = [
  ...ATTENTION_KERNELS.flatMap((kernel) => [
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
    attentionCase(kernel, [8, 12, 256, 64], { causal: 'start' }, BENCH),
    attentionCase(kernel, [8, 12, 256, 64], { lengths: [256, 200, 150, 100, 256, 77, 256, 30] }, BENCH),
    attentionCase(kernel, [8, 12, 256, 64], { mask: ['boolean', 'bn'] }, BENCH),
    attentionCase(kernel, [8, 12, 256, 64], { kvHeads: 3, keys: 77 }, BENCH),
  ]),
  ...featureCases(FEATURES),
  ...featureCases(MORE_FEATURES),
  ...featureCases(FEATURES.slice(-2), BARE_TILE),
  attentionCase('attentionBackwardMask', [2, 3, 5, 8], { mask: ['added', 'hn'] }, SMOKE),
  ...['', 'b', 'h', 'n', 'bhn', 'bn'].map((axes) =>
    attentionCase(
      'attentionBackwardMask',
      [2, 4, 7, 6],
      { keys: 11, kvHeads: 2, valueDim: 5, mask: ['added', axes] },
      CANCELS,
    ),
  ),
  attentionCase('attentionBackwardMask', ...FEATURES.at(-2)!, CANCELS),
  attentionCase(
    'attentionBackwardMask',
    [2, 3, 41, 64],
    { keys: 67, mask: ['added', 'hn'], causal: 'start', offset: 26 },
    CANCELS,
  ),
  scoresCase([2, 3, 3, 8], 'weights', {}, SMOKE),
  scoresCase([2, 3, 7, 8], 'product', { keys: 11 }),
  scoresCase([2, 4, 7, 5], 'capped', { keys: 11, kvHeads: 2, softcap: 2 }),
  scoresCase([2, 4, 7, 5], 'masked', { keys: 11, softcap: 2 }),
  scoresCase(FEATURES.at(-2)![0], 'weights', FEATURES.at(-2)![1]),
  scoresCase(FEATURES.at(-1)![0], 'weights', FEATURES.at(-1)![1]),
  deltaCase([2, 3, 3, 8], SMOKE),
  deltaCase([1, 1, 1, 1]),
  deltaCase([2, 3, 113, 41]),
  deltaCase([1, 3, 257, 128]),
  deltaCase([3, 7, 3121, 2]), // 65,541 rows
  deltaCase([3, 7, 9, 5], {}, [9, 0, 4]),
  ...REALISTIC.map((sizes) => deltaCase(sizes, BENCH)),
];
