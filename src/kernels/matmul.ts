import {
  type Caps,
  defineKernel,
  flag,
  group,
  type KnobValue,
  oneOf,
  optional,
  variants,
  whole,
} from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { tuningOf } from './tuning_tile.ts';

/** Which operands are stored transposed: a letter for A, a letter for B. */
export type MatmulLayout = 'nn' | 'nt' | 'tn';

/** What a matmul kernel computes. */
export interface MatmulOptions {
  /** nn: A [m,k] B [k,n]. nt: B is [n,k], as nn.Linear stores weights. tn: A is [k,m], as weight gradients need. */
  layout: MatmulLayout;
  bias?: boolean;
  /** GELU is the tanh form, gelu-erf the exact one. */
  act?: 'none' | 'gelu' | 'gelu-erf' | 'silu' | 'relu' | 'sigmoid';
  gate?: boolean;
  residual?: boolean;
  /** Also write the value before the activation, for its backward. */
  pre?: boolean;
  /** How a and b are stored; default f32. Sums are f32. */
  dtype?: 'f32' | 'f16';
  /** How out, pre and residual are stored; default as `dtype`. Gradients of weights are f32. */
  outDtype?: 'f32' | 'f16';
  /** Matrices of A that several of the batch share; a matrix each by default. */
  shareA?: MatmulShare;
  /** Likewise of B. */
  shareB?: MatmulShare;
  /** The tiling; see `chooseMatmul`. */
  tile?: MatmulTile;
}

/**
 * Which matrix of an operand the i-th of the batch reads: floor(i / each) % of. A batch of axes [B, H] meets an operand of [B, 1] with
 * each H, of [1, H] with of H, and one matrix with of 1.
 */
export interface MatmulShare {
  /** Neighbours that share a matrix. Default 1. */
  each?: number;
  /** Matrices that the batch goes through again and again. Default as many as it needs. */
  of?: number;
}

/** Which of m, n and k are multiples of 4, so that rows along them can be read as vec4f. Stated here, checked at bind time. */
export interface MatmulVec {
  m: boolean;
  n: boolean;
  k: boolean;
}

/** Straight from storage: outputs an invocation (tn a multiple of 4), and invocations a workgroup. For CPU adapters, and the oracle. */
export interface PlainTile {
  kind: 'plain';
  tm: number;
  tn: number;
  wgX: number;
  wgY: number;
  vec?: MatmulVec;
  /** Sum k in runs: for long k. */
  runs?: boolean;
}

/** Through workgroup memory: 8 x 8 invocations make 32 qm x 32 qn outputs. For GPUs. */
export interface TiledTile {
  kind: 'tiled';
  qm: 1 | 2;
  qn: 1 | 2;
  vec?: MatmulVec;
  /** Sum k in runs: for long k. With qm and qn 1 only, which leave registers for it. */
  runs?: boolean;
}

export type MatmulTile = PlainTile | TiledTile;

/** A tiling, and into how many parts of k_chunk = kChunk to cut k where the caller can add up partial products (else ignore it). */
export type MatmulChoice = MatmulTile & { splits: number; kChunk: number };

/** Shape of one product. */
export interface MatmulShape {
  m: number;
  n: number;
  k: number;
  batch?: number;
  /** false: the caller cannot add up partial products (an epilogue is fused), so choose for one split. Default true. */
  split?: boolean;
}

/** Most terms of one sum; longer ones are split where the caller can add up splits, and summed in runs where not: a longer chain loses small terms (1e7 positive ones, some per cent). */
const LONGEST_SUM = 8192;

/** Partial products to add up at most. */
const MOST_SPLITS = 64;

/**
 * The tiling for a shape on a device, whatever the layout, and the split over k (tall k with a small output, as weight
 * gradients have: too few tiles to fill a GPU). kChunk is a multiple of 16 where splits > 1.
 */
export function chooseMatmul(shape: MatmulShape, caps: Caps): MatmulChoice {
  const { m, n, k, batch = 1, split = true } = shape;
  const vec = { m: m % 4 === 0, n: n % 4 === 0, k: k % 4 === 0 };
  if (caps.software || caps.maxWorkgroupSize < 64 || caps.maxWorkgroupMemory < 8192) {
    // 16 x 16 outputs an invocation are fastest on llvmpipe and the most that its compiler unrolls. 2 x 4 invocations read less than
    // 4 x 2 (5 to 20% of the time, 1568 x 64 x 64 to 1568 x 340 x 64) and than 8 x 1 (half). Also where few workgroups result: 10.2
    // GFLOP/s at 64 x 64 x 1568, 7.9 with 8 x 8 outputs. What is over in a millisecond is not worth their second of compiling.
    const wide = m >= 16 && n > 32 && batch * m * n * k >= 2 ** 22;
    const whole = { vec, ...(k > LONGEST_SUM && { runs: true }), splits: 1, kChunk: k };
    if (wide) return { kind: 'plain', tm: 16, tn: 16, wgX: 2, wgY: 4, ...whole };
    const tm = m >= 8 ? 8 : Math.min(m, 4);
    return { kind: 'plain', tm, tn: n > 32 ? 8 : 4, wgX: 8, wgY: 1, ...whole };
  }
  if (k > LONGEST_SUM && !split) return { kind: 'tiled', qm: 1, qn: 1, vec, runs: true, splits: 1, kChunk: k };
  const { multiprocessors, minSplitK, start, partial, secondPass, tiles: sizes } = tuningOf(caps).product;
  const fewest = split ? Math.max(1, Math.ceil(k / LONGEST_SUM)) : 1;
  const most = split ? Math.max(fewest, Math.min(MOST_SPLITS, Math.floor(k / minSplitK))) : 1;
  let best: MatmulChoice | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const { qm, qn, atOnce, rate } of sizes) {
    const tiles = batch * Math.ceil(m / (32 * qm)) * Math.ceil(n / (32 * qn));
    for (let wanted = fewest; wanted <= most; wanted++) {
      const kChunk = wanted === 1 ? k : Math.ceil(k / wanted / 16) * 16;
      const splits = Math.ceil(k / kChunk);
      // Multiply-adds of the multiprocessor that does the most, in blocks of 32 x 32 outputs.
      const each = Math.max(atOnce, Math.ceil((tiles * splits) / multiprocessors));
      const sums = splits === 1 ? 0 : splits * batch * m * n * partial + secondPass;
      const cost = (each * qm * qn * 32 * 32 * (kChunk + start)) / rate + sums;
      if (cost < least) {
        least = cost;
        best = { kind: 'tiled', qm, qn, vec, splits, kChunk };
      }
    }
  }
  return best as MatmulChoice;
}

/** The tiling of a product in one pass over k. */
function wholeTile(shape: MatmulShape, caps: Caps): MatmulTile {
  const { splits: _, kChunk: __, ...tile } = chooseMatmul({ ...shape, split: false }, caps);
  return tile;
}

/** Stand for the products of an app that names no shape: large and small ones whose rows are whole vec4s, and any other. */
const UNSHAPED = [4096, 256, 255];

interface ProductDims {
  m: number;
  n: number;
  k: number;
  batch: number;
}

/** Tilings for any shape, the best first. */
function unshaped(o: MatmulOptions, caps: Caps): { options: MatmulOptions; when: (d: ProductDims) => boolean }[] {
  if (o.tile) return [];
  const [large, small, any] = UNSHAPED.map((size) => wholeTile({ m: size, n: size, k: size }, caps)) as [
    MatmulTile,
    MatmulTile,
    MatmulTile,
  ];
  const last: MatmulTile = { ...any, ...(any.kind === 'tiled' && { qm: 1, qn: 1 }), runs: true }; // whatever k will be
  const aligned = (d: ProductDims) => [d.m, d.n, d.k].every((size) => size % 4 === 0) && d.k <= LONGEST_SUM;
  const fills = (d: ProductDims) => d.batch * d.m * d.n >= 64 * 64 * 2 * tuningOf(caps).product.multiprocessors;
  return [
    { options: { ...o, tile: large }, when: (d: ProductDims) => aligned(d) && fills(d) },
    { options: { ...o, tile: small }, when: aligned },
    { options: { ...o, tile: last }, when: () => true },
  ];
}

const vec = optional(group<MatmulVec>({ m: flag, n: flag, k: flag }));
/** What else a MatmulChoice says, for whoever adds up the splits. */
const split = { splits: optional(whole(1, 2 ** 32)), kChunk: optional(whole(0, 2 ** 32)) };

const tile = variants<MatmulTile>('kind', {
  plain: group<Omit<PlainTile & Partial<MatmulChoice>, 'kind' | 'qm' | 'qn'>>(
    {
      tm: whole(1, 64),
      tn: whole(4, 64, 4),
      wgX: whole(1, 256),
      wgY: whole(1, 256),
      vec,
      runs: optional(flag),
      ...split,
    },
    ({ wgX, wgY }) =>
      wgX * wgY <= 256 ? undefined : { what: `tile has ${wgX} x ${wgY} invocations`, fix: 'give 256 at most' },
  ),
  tiled: group<Omit<TiledTile & Partial<MatmulChoice>, 'kind'>>(
    { qm: oneOf(1, 2), qn: oneOf(1, 2), vec, runs: optional(flag), ...split },
    ({ qm, qn, runs }) =>
      runs && qm * qn > 1
        ? { what: `tile sums in runs with qm ${qm} and qn ${qn}`, fix: 'give qm and qn 1, or leave runs out' }
        : undefined,
  ),
});

/** As lib act counts them. */
const ACTS = { none: 0, gelu: 1, silu: 2, relu: 3, 'gelu-erf': 4, sigmoid: 5 };

const share = optional(
  group<MatmulShare>({ each: optional(whole(1, 2 ** 32 - 1)), of: optional(whole(1, 2 ** 32 - 1)) }),
);

/** Matrices of an operand that a batch reads. */
const matricesOf = (batch: number, each: KnobValue | undefined, of: KnobValue | undefined) =>
  Math.min((of as number) || batch, Math.ceil(batch / (each as number)));

/** Of options whose tiling is chosen. */
function tileKnobs({
  layout,
  tile: chosen,
  dtype = 'f32',
  outDtype = dtype,
}: MatmulOptions): Record<string, KnobValue | undefined> {
  const tile = chosen as MatmulTile;
  const scalars = { Scalar: dtype, OScalar: outDtype };
  const along = (vec: boolean | undefined, of: string = dtype) => (vec ? (of === 'f16' ? 'vec4h' : 'vec4f') : of);
  const { m, n, k } = tile.vec ?? { m: false, n: false, k: false };
  if (tile.kind === 'plain') {
    const vecA = layout === 'tn' && m && tile.tm % 4 === 0;
    const vecB = layout !== 'nt' && n;
    const size = { TM: tile.tm, TN: tile.tn, WG_X: tile.wgX, WG_Y: tile.wgY, RUNS: tile.runs };
    return { ...size, ...scalars, VEC_A: vecA, VEC_B: vecB, AElem: along(vecA), BElem: along(vecB) };
  }
  const vecA = layout === 'tn' ? m : k;
  const vecB = layout === 'nt' ? k : n;
  return {
    QM: tile.qm,
    QN: tile.qn,
    RUNS: tile.runs,
    VEC_A: vecA,
    VEC_B: vecB,
    VEC_N: n,
    AElem: along(vecA),
    BElem: along(vecB),
    RElem: along(n, outDtype),
    OElem: n ? along(n, outDtype) : `array<${outDtype}, 1>`,
    ...scalars,
  };
}

/**
 * Batched matrix product with a fused epilogue: `out = residual + gate * act(op(A) op(B) + bias)`.
 * Buffers: a, b of `dtype`, fewer where they are shared; out, pre [batch, m, n] and residual [batch, residual_rows, n] of
 * `outDtype`; f32 bias [n] and gate [ceil(m/gate_rows), gate_stride]. Dims m, n, k; batch is 1 and k_chunk is k where left out, the
 * others belong to their parts.
 * See shaders/matmul_plain.wgsl and shaders/matmul_tiled.wgsl. With a shape the variant is the best for it; without, what is bound is
 * the best of three for any shape.
 */
export const matmul = defineKernel({
  shader: (o: MatmulOptions) => (o.tile?.kind === 'tiled' ? shaders.matmul_tiled : shaders.matmul_plain),
  name: 'matmul',
  choose: (o: MatmulOptions, shape: MatmulShape, caps) => (o.tile ? o : { ...o, tile: wholeTile(shape, caps) }),
  unshaped,
  options: group<MatmulOptions>({
    layout: oneOf('nn', 'nt', 'tn'),
    bias: optional(flag),
    act: optional(oneOf('none', 'gelu', 'gelu-erf', 'silu', 'relu', 'sigmoid')),
    gate: optional(flag),
    residual: optional(flag),
    pre: optional(flag),
    dtype: optional(oneOf('f32', 'f16')),
    outDtype: optional(oneOf('f32', 'f16')),
    shareA: share,
    shareB: share,
    tile: optional(tile),
  }),
  knobs: (o: MatmulOptions) => ({
    A_EACH: o.shareA?.each,
    A_OF: o.shareA?.of,
    B_EACH: o.shareB?.each,
    B_OF: o.shareB?.of,
    TRANS_A: o.layout === 'tn',
    TRANS_B: o.layout === 'nt',
    ACT: ACTS[o.act ?? 'none'],
    HAS_BIAS: o.bias ?? false,
    HAS_GATE: o.gate ?? false,
    HAS_RESIDUAL: o.residual ?? false,
    HAS_PRE: o.pre ?? false,
    ...tileKnobs(o),
  }),
  sizes: (d, k) => {
    const outs = Math.ceil(d.k / d.k_chunk) * d.batch * d.m * d.n;
    return {
      a: matricesOf(d.batch, k.A_EACH, k.A_OF) * d.m * d.k,
      b: matricesOf(d.batch, k.B_EACH, k.B_OF) * d.k * d.n,
      bias: d.n,
      gate: Math.ceil(d.m / d.gate_rows) * d.gate_stride,
      residual: d.batch * d.residual_rows * d.n,
      out: outs,
      pre: outs,
    };
  },
  grid: (d, knobs) => {
    const k = knobs as Record<string, number>;
    const [rows, cols] = 'QM' in k ? [32 * k.QM, 32 * k.QN] : [k.TM * k.WG_Y, k.TN * k.WG_X];
    return Math.ceil(d.m / rows) * Math.ceil(d.n / cols) * Math.ceil(d.k / d.k_chunk) * d.batch;
  },
  check: (d, k) => {
    for (const name of ['k', 'k_chunk', 'gate_rows', 'residual_rows'] as const) {
      if (d[name] === 0) return { what: `${name} is 0`, fix: `give ${name} at least 1` };
    }
    if (k.HAS_GATE && d.gate_offset + d.n > d.gate_stride) {
      return {
        what: `gate columns end at ${d.gate_offset + d.n}, past gate_stride ${d.gate_stride}`,
        fix: 'keep gate_offset + n <= gate_stride',
      };
    }
    const split = d.k_chunk < d.k;
    if (split && (k.ACT !== 0 || k.HAS_BIAS || k.HAS_GATE || k.HAS_RESIDUAL)) {
      return { what: 'a product split over k has an epilogue', fix: 'apply the epilogue after the splits are added' };
    }
    const rowsOfA = k.TRANS_A ? 'm' : 'k';
    const rowsOfB = k.TRANS_B ? 'k' : 'n';
    const asVec4 = [...(k.VEC_A ? [rowsOfA] : []), ...(k.VEC_B ? [rowsOfB] : []), ...(k.VEC_N ? ['n'] : [])] as (
      | 'm'
      | 'n'
      | 'k'
    )[];
    for (const name of asVec4) {
      if (d[name] % 4 !== 0) {
        return {
          what: `${name} is ${d[name]}, but the variant reads rows of ${name} as vec4f`,
          fix: 'choose the tile for this shape, with chooseMatmul',
        };
      }
    }
    if (split && asVec4.includes('k') && d.k_chunk % 4 !== 0) {
      return {
        what: `k_chunk is ${d.k_chunk}, but the variant reads k as vec4f`,
        fix: 'use the kChunk of chooseMatmul, or a multiple of 4',
      };
    }
    return undefined;
  },
});
