import { capsOf } from '../../src/kernel/index.ts';
import {
  type AttentionOptions,
  type AttentionTile,
  attention,
  attentionBackwardKV,
  attentionBackwardMask,
  attentionBackwardQ,
  attentionBackwardStored,
  attentionBackwardStoredQ,
  attentionDelta,
  attentionDims,
  attentionScores,
  chooseAttention,
  type StoredOptions,
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
import { halves, type KernelCase, type PreparedCase, prepared } from './case.ts';

export type AttentionKernel = 'attention' | 'attentionBackwardQ' | 'attentionBackwardKV';
type Stored = 'attentionBackwardStored' | 'attentionBackwardStoredQ';
type Which = AttentionKernel | Stored | 'attentionBackwardMask';
export type Sizes = readonly [batch: number, heads: number, n: number, headDim: number];

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
  /** How q, k, v, out and their gradients are stored. */
  dtype?: 'f16';
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
  attentionBackwardStored: { products: 4, tensors: 6, rows: 2 },
  attentionBackwardStoredQ: { products: 1, tensors: 2, rows: 0 },
};

const ROUNDING = {
  tolerance: 2e-6,
  toleranceFrom:
    'f32 rounding of scores of head_dim terms, of exp (WGSL: 3 + 2|x| ulp) and of a sum of n terms, 16 ulp',
};

/** The options, dims and tensors of a case, and the problem of the oracle. */
function problemOf([batch, heads, n, headDim]: Sizes, o: Options, samples = batch) {
  const { keys = n, kvHeads = heads, valueDim = headDim, mask: kind, lengths, tile: _, dtype, scale, ...rest } = o;
  const sizes = (
    kind ? ['b', 'h', 'n'].map((axis, i) => (kind[1].includes(axis) ? [batch, heads, n][i] : 1)) : [1, 1, 1]
  ) as [number, number, number];
  const numbersOf = (count: number, seed: number) => Float32Array.from(randn(count, seed));
  const tensor = (count: number, seed: number) => (dtype ? halves(numbersOf(count, seed)) : numbersOf(count, seed));
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
    ...(dtype && { dtype }),
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
  const stored = kernel.includes('Stored') ? 4 * rows * (options.keys ?? n) : 0;
  return {
    kernel,
    name: `${sizes.join('x')}${marksOf(options)}`,
    variant: options.dtype ?? 'f32',
    shape: [...sizes],
    ...ROUNDING,
    ...(options.dtype && { needs: ['shader-f16'] }),
    forced: options.tile !== undefined,
    flops: 2 * work.products * rows * (options.keys ?? n) * headDim,
    bytes: rows * ((options.dtype ? 2 : 4) * work.tensors * headDim + 4 * work.rows) + stored,
    ...extra,
    prepare: (device) => {
      const p = problemOf(sizes, options, extra.benchOnly ? 1 : batch);
      const knobs = { ...p.options, tile: options.tile ?? chooseAttention(p.shape, capsOf(device)) };
      const run =
        kernel === 'attention'
          ? forward(device, p, knobs, options.lengths)
          : backward(device, kernel, p, knobs, options.lengths);
      return options.dtype ? { ...run, halves: HALVES } : run;
    },
  };
}

/** What is stored as f16 with that dtype. */
const HALVES = ['q', 'k', 'v', 'out', 'dout', 'dq', 'dk', 'dv'];

function forward(
  device: GPUDevice,
  { problem, dims, dout, inputs }: ReturnType<typeof problemOf>,
  knobs: AttentionOptions,
  lengths: readonly number[] | undefined,
): PreparedCase {
  return prepared(attention.prepare(device, knobs), dims, {
    inputs: { ...inputs, ...(lengths && { lengths: Uint32Array.from(lengths) }) },
    outputs: { out: dout.length, lse: dims.batch * dims.heads * dims.n },
    oracle: () => oracle(problem),
  });
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
  // The samples that the oracle leaves out take the first one's.
  for (let i = 0; i < count; i++) rows.set([forward.lse[i % delta.length]!, delta[i % delta.length]!], 2 * i);
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
  const both = { ...outputs('k'), ...outputs('v') };
  const bothGradients = () => {
    const { dk, dv } = gradients();
    return { dk, dv };
  };
  if (kernel === 'attentionBackwardKV')
    return prepared(attentionBackwardKV.prepare(device, knobs), dims, { inputs, outputs: both, oracle: bothGradients });

  const { headDim, valueDim, dtype, grouped, softcap, tile } = knobs;
  const own = {
    headDim,
    valueDim,
    ...(dtype && { dtype }),
    grouped,
    softcap,
    ...(tile?.kind === 'tiled' && { tile }),
  } as StoredOptions;
  const { batch, heads, kv_heads, n, keys, head_dim, scale } = dims;
  const stored = batch * heads * keys * Math.ceil(n / 4) * 4;
  if (kernel === 'attentionBackwardStored') {
    return prepared(attentionBackwardStored.prepare(device, own), dims, {
      inputs,
      outputs: { ...both, dscores: stored },
      oracle: () => ({ ...bothGradients(), dscores: scoreGradients(problem, dout1) }),
    });
  }
  const dscores = new Float32Array(stored);
  dscores.set(scoreGradients(problem, dout1));
  const sizes = { batch, heads, kv_heads, n, keys, head_dim, scale };
  return prepared(attentionBackwardStoredQ.prepare(device, own), sizes, {
    inputs: { k: p.inputs.k, dscores },
    outputs: outputs('q'),
    oracle: () => ({ dq: gradients().dq }),
  });
}

/** Gradients by scores [batch, heads, keys, n up to a multiple of 4, or of 8], from those by an added mask of zeros. */
export function scoreGradients(
  problem: AttentionProblem,
  dout: Float32Array,
  line = Math.ceil(problem.n / 4) * 4,
): Float64Array {
  const { batch, heads, n, keys = n, softcap } = problem;
  const data = new Float32Array(batch * heads * n * keys);
  const mask: AttentionMask = { kind: 'added', sizes: [batch, heads, n], data };
  const byMasked = attentionGradients({ ...problem, mask }, dout).dmask!;
  const capped = softcap ? scoresOracle(problem, 'capped') : undefined;
  const stored = new Float64Array(batch * heads * keys * line);
  byMasked.forEach((gradient, at) => {
    const [key, query, head] = [at % keys, Math.floor(at / keys) % n, Math.floor(at / keys / n)];
    const slope = capped ? 1 - (capped[at]! / softcap!) ** 2 : 1;
    stored[(head * keys + key) * line + query] = gradient * slope;
  });
  return stored;
}

const STAGES = ['product', 'capped', 'masked', 'weights'] as const;

/** The matrix of scores. The last of the masked ones are minus infinity, which no error can be taken of: hidden ones are by a case of weights. */
export function scoresCase(
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
    ...(options.dtype && { needs: ['shader-f16'] }),
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
        halves: options.dtype ? HALVES : [],
        oracle: () => ({ scores: scoresOracle(p.problem, stage) }),
      });
    },
  };
}

export function deltaCase(
  sizes: Sizes,
  extra: Partial<KernelCase> = {},
  { lengths, dtype }: Pick<Features, 'lengths' | 'dtype'> = {},
): KernelCase {
  const [batch, heads, n, valueDim] = sizes;
  const count = batch * heads * n;
  return {
    kernel: 'attentionDelta',
    name: `${sizes.join('x')}${marksOf({ ...(lengths && { lengths }), ...(dtype && { dtype }) })}`,
    variant: dtype ?? 'f32',
    shape: [...sizes],
    tolerance: 1e-6,
    toleranceFrom: 'f32 rounding of a sum of head_dim products, 8 ulp',
    flops: 2 * count * valueDim,
    bytes: count * ((dtype ? 4 : 8) * valueDim + 12),
    ...(dtype && { needs: ['shader-f16'] }),
    ...extra,
    prepare: (device) => {
      const [out, dout] = [1, 2].map((seed) => {
        const numbers = Float32Array.from(randn(count * valueDim, seed));
        return dtype ? halves(numbers) : numbers;
      }) as [Float32Array, Float32Array];
      const lse = Float32Array.from(randn(count, 3));
      const dims = { batch, heads, n, value_dim: valueDim };
      const pairs = count + (lengths?.length ?? 0);
      const options = { lengths: lengths !== undefined, ...(dtype && { dtype }) };
      return prepared(attentionDelta.prepare(device, options), dims, {
        halves: dtype ? HALVES : [],
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
