import { type Caps, defineKernel } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

export interface AttentionShape {
  batch: number;
  heads: number;
  n: number;
  head_dim: number;
}

/** How a workgroup covers queries (or, in the backward of k and v, keys). */
export interface AttentionTile {
  /** Rows a workgroup, one an invocation. */
  rows: number;
}

export interface AttentionOptions {
  headDim: number;
  tile?: AttentionTile;
}

/** The tiling for a shape on a device. */
export function chooseAttention(shape: AttentionShape, caps: Caps): AttentionTile {
  return { rows: caps.software ? 8 : shape.n <= 32 ? 32 : 64 };
}

const knobs = (o: AttentionOptions) => ({ HEAD_DIM: o.headDim, WG: o.tile?.rows });
const one = (d: AttentionShape) => d.batch * d.heads * d.n * d.head_dim;
const rows = (d: AttentionShape) => d.batch * d.heads * d.n;

function check(d: AttentionShape, headDim: number): { what: string; fix: string } | undefined {
  if (d.head_dim !== headDim) return { what: `head_dim ${d.head_dim} is not the kernel's ${headDim}`, fix: 'create the kernel with this headDim' };
  if (headDim < 1 || headDim > 128) return { what: `head_dim ${headDim} is not in 1..128`, fix: 'use more heads' };
  if (d.n === 0) return { what: 'n is 0', fix: 'give at least one token' };
  return undefined;
}

const groups = (d: AttentionShape, wg: number) => d.batch * d.heads * Math.ceil(d.n / wg);

/**
 * softmax(scale q k^T) v without an n x n matrix. Buffers f32: q, k, v [batch, heads, n, head_dim]; out [batch, n, heads,
 * head_dim]; lse [batch, heads, n].
 */
export const attention = defineKernel({
  shader: shaders.attention_fwd_plain,
  knobs,
  sizes: (d) => ({ q: one(d), k: one(d), v: one(d), out: one(d), lse: rows(d) }),
  grid: (d, k) => groups(d, k.WG as number),
  check: (d, k) => check(d, k.HEAD_DIM as number),
});

/** delta = rowwise out . dout. Buffers f32: out, dout [batch, n, heads, head_dim]; delta [batch, heads, n]. */
export const attentionDelta = defineKernel({
  shader: shaders.attention_delta,
  sizes: (d) => ({ out: one(d), dout: one(d), delta: rows(d) }),
  grid: (d) => Math.ceil(rows(d) / 64),
});

/** dq. Buffers f32: q, k, v, dq [batch, heads, n, head_dim]; dout [batch, n, heads, head_dim]; lse, delta [batch, heads, n]. */
export const attentionBackwardQ = defineKernel({
  shader: shaders.attention_bwd_q_plain,
  knobs,
  sizes: (d) => ({ q: one(d), k: one(d), v: one(d), dout: one(d), lse: rows(d), delta: rows(d), dq: one(d) }),
  grid: (d, k) => groups(d, k.WG as number),
  check: (d, k) => check(d, k.HEAD_DIM as number),
});

/** dk and dv. Buffers as attentionBackwardQ, with dk and dv for dq. */
export const attentionBackwardKV = defineKernel({
  shader: shaders.attention_bwd_kv_plain,
  knobs,
  sizes: (d) => ({ q: one(d), k: one(d), v: one(d), dout: one(d), lse: rows(d), delta: rows(d), dk: one(d), dv: one(d) }),
  grid: (d, k) => groups(d, k.WG as number),
  check: (d, k) => check(d, k.HEAD_DIM as number),
});
