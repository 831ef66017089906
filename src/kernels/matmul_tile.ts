/** What a product is asked for, and the tilings of its f32 variants. */
import type { Caps } from '../kernel/index.ts';
import { cheapestBlocks, LONGEST_SUM, MOST_SPLITS } from './blocks_tile.ts';
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
  /** How b is stored where it is not as a. */
  bDtype?: 'f32' | 'f16';
  /** How out, pre and residual are stored; default as `dtype`. Gradients of weights are f32. */
  outDtype?: 'f32' | 'f16';
  /**
   * The columns are x1 then x2, n/2 each: out [m, n/2] = silu(x1 + bias) * (x2 + bias), pre [m, n] the two. Layout nt, a tile of qn 2
   * (`gluTile`), no other epilogue. Shazeer 2020.
   */
  glu?: boolean;
  /** Also write the sums of A's rows over k, sums [splits * batch, m]: the gradient of a bias beside that of its weight. Layout tn, tiled. */
  sums?: boolean;
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

/** Straight from storage: outputs an invocation (up to 16 x 16, tn a multiple of 4), and invocations a workgroup. For CPU adapters, and the oracle. */
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

/** Whether a device takes products through workgroup memory. */
const isTiled = (caps: Caps) => !caps.software && caps.maxWorkgroupSize >= 64 && caps.maxWorkgroupMemory >= 8192;

/**
 * The tiling for a shape on a device, whatever the layout, and the split over k (tall k with a small output, as weight
 * gradients have: too few tiles to fill a GPU). kChunk is a multiple of 16 where splits > 1.
 */
export function chooseMatmul(shape: MatmulShape, caps: Caps): MatmulChoice {
  const { m, n, k, batch = 1, split = true } = shape;
  const vec = { m: m % 4 === 0, n: n % 4 === 0, k: k % 4 === 0 };
  if (!isTiled(caps)) {
    // 16 x 16 outputs an invocation are fastest on llvmpipe and the most that its compiler unrolls. 2 x 4 invocations read less than
    // 4 x 2 (5 to 20% of the time, 1568 x 64 x 64 to 1568 x 340 x 64) and than 8 x 1 (half). Also where few workgroups result: 10.2
    // GFLOP/s at 64 x 64 x 1568, 7.9 with 8 x 8 outputs. What is over in a millisecond is not worth their second of compiling. On
    // SwiftShader 8 x 8 are as fast, and compile in a third of the time.
    const wide = caps.architecture !== 'swiftshader' && m >= 16 && n > 32 && batch * m * n * k >= 2 ** 22;
    const whole = { vec, ...(k > LONGEST_SUM && { runs: true }), splits: 1, kChunk: k };
    if (wide) return { kind: 'plain', tm: 16, tn: 16, wgX: 2, wgY: 4, ...whole };
    const tm = m >= 8 ? 8 : Math.min(m, 4);
    return { kind: 'plain', tm, tn: n > 32 ? 8 : 4, wgX: 8, wgY: 1, ...whole };
  }
  if (k > LONGEST_SUM && !split) return { kind: 'tiled', qm: 1, qn: 1, vec, runs: true, splits: 1, kChunk: k };
  const { minSplitK } = tuningOf(caps).product;
  const fewest = split ? Math.max(1, Math.ceil(k / LONGEST_SUM)) : 1;
  const most = split ? Math.max(fewest, Math.min(MOST_SPLITS, Math.floor(k / minSplitK))) : 1;
  return { kind: 'tiled', vec, ...cheapestBlocks(shape, { fewest, most }, caps) };
}

/** The tiling of a product in one pass over k. */
export function wholeTile(shape: MatmulShape, caps: Caps): MatmulTile {
  const { splits: _, kChunk: __, ...tile } = chooseMatmul({ ...shape, split: false }, caps);
  return tile;
}

/** The tiling of a product with `glu`; undefined where the device has none: there it is a product and a swiglu. */
export function gluTile({ n, k }: MatmulShape, caps: Caps): TiledTile | undefined {
  if (!isTiled(caps) || k > LONGEST_SUM) return undefined;
  return { kind: 'tiled', qm: 2, qn: 2, vec: { m: false, n: n % 8 === 0, k: k % 4 === 0 } };
}

/** Stand for the products of an app that names no shape: large and small ones whose rows are whole vec4s, and any other. */
export const UNSHAPED = [4096, 256, 255];

export interface ProductDims {
  m: number;
  n: number;
  k: number;
  batch: number;
}

/** Tilings for any shape, the best first. */
export function unshaped(
  o: MatmulOptions,
  caps: Caps,
): { options: MatmulOptions; when: (d: ProductDims) => boolean }[] {
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
