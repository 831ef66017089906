import { defineKernel } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

export interface QkNormRopeOptions {
  /** Normalisation of q and k over head_dim. */
  norm: 'none' | 'rms' | 'layer';
  /** Weight and bias after the norm, in one buffer `affine` [4, head_dim]: weight of q, of k, bias of q, of k. */
  affine?: boolean;
  /** Rotate q and k by `rope` [2, n, head_dim]: cosines, sines. */
  rope?: boolean;
}

const NORMS = { none: 0, rms: 1, layer: 2 };

const knobs = (o: QkNormRopeOptions) => ({
  NORM: NORMS[o.norm],
  HAS_AFFINE: o.affine ?? false,
  HAS_ROPE: o.rope ?? false,
});

interface HeadDims {
  batch: number;
  n: number;
  heads: number;
  head_dim: number;
}

const one = (d: HeadDims) => d.batch * d.n * d.heads * d.head_dim;
const tables = (d: HeadDims) => ({ affine: 4 * d.head_dim, rope: 2 * d.n * d.head_dim });

function check(d: HeadDims, rope: boolean): { what: string; fix: string } | undefined {
  if (d.head_dim === 0) return { what: 'head_dim is 0', fix: 'give at least 1' };
  if (rope && d.head_dim % 2 !== 0)
    return { what: `head_dim ${d.head_dim} is odd`, fix: 'rotary positions turn pairs: use an even head_dim' };
  return undefined;
}

/** Splits qkv [batch, n, 3, heads, head_dim] into q, k, v [batch, heads, n, head_dim]; norm, affine map and rotation of q and k. f32. */
export const qkNormRope = defineKernel({
  shader: shaders.qk_norm_rope_fwd,
  knobs,
  sizes: (d) => ({ qkv: 3 * one(d), ...tables(d), q: one(d), k: one(d), v: one(d) }),
  grid: (d) => Math.ceil((3 * d.batch * d.n * d.heads) / 64),
  check: (d, k) => check(d, k.HAS_ROPE as boolean),
});

/** dqkv, whole, from dq, dk, dv [batch, heads, n, head_dim]. f32. */
export const qkNormRopeBackward = defineKernel({
  shader: shaders.qk_norm_rope_bwd,
  knobs,
  sizes: (d) => ({ qkv: 3 * one(d), ...tables(d), dq: one(d), dk: one(d), dv: one(d), dqkv: 3 * one(d) }),
  grid: (d) => Math.ceil((3 * d.batch * d.n * d.heads) / 64),
  check: (d, k) => check(d, k.HAS_ROPE as boolean),
});

/** Invocations that keep a large GPU busy, and the fewest rows for which one is worth starting. */
const BUSY = 2 ** 17;
const LEAST_ROWS = 64;

/** Rows (batch, token, head) a chunk for qkNormAffineBackward, whose invocations each walk one column of q or k in a chunk. Pure. */
export function chooseAffineChunk(rows: number, headDim: number): number {
  const chunks = Math.max(1, Math.min(Math.ceil(rows / LEAST_ROWS), Math.ceil(BUSY / (2 * headDim))));
  return Math.max(1, Math.ceil(rows / chunks));
}

/** Gradients of the affine map by chunks of rows (batch n heads): partial [ceil(rows/chunk_rows), 4, head_dim]; sumCols adds them. f32. */
export const qkNormAffineBackward = defineKernel({
  shader: shaders.qk_norm_affine_bwd,
  knobs: (o: Omit<QkNormRopeOptions, 'affine'>) => ({ NORM: NORMS[o.norm], HAS_ROPE: o.rope ?? false }),
  sizes: (d) => {
    const chunks = Math.ceil((d.batch * d.n * d.heads) / d.chunk_rows);
    return { qkv: 3 * one(d), rope: tables(d).rope, dq: one(d), dk: one(d), partial: chunks * 4 * d.head_dim };
  },
  grid: (d) => Math.ceil((Math.ceil((d.batch * d.n * d.heads) / d.chunk_rows) * 2 * d.head_dim) / 64),
  check: (d, k) =>
    d.chunk_rows === 0 ? { what: 'chunk_rows is 0', fix: 'give rows for one chunk' } : check(d, k.HAS_ROPE as boolean),
});
