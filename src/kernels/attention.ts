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

export interface AttentionShape {
  batch: number;
  heads: number;
  n: number;
  head_dim: number;
}

/** Every invocation has queries of its own (or, in the backward of k and v, keys), straight from storage. For CPU adapters, and the oracle. */
export interface PlainAttention {
  kind?: 'plain';
  /** Invocations a workgroup. */
  rows: number;
  /** Queries an invocation; 1 if left out. */
  each?: number;
  /** Keys a step (queries, in the backward of k and v); 1 if left out. */
  keys?: number;
  /** Loops over head_dim stay loops, for a CPU's compiler; false if left out. */
  rolled?: boolean;
}

/** Blocks of rows x cols scores through workgroup memory, by 2 rows invocations. For GPUs. */
export interface TiledAttention {
  kind: 'tiled';
  /** Queries a workgroup owns (keys, in the backward of k and v): a multiple of 16. */
  rows: number;
  /** Keys (queries) of a block. */
  cols: 32 | 64;
  /** The same for the backward of k and v, which holds two results in registers; cols if left out. */
  colsKV?: 32 | 64;
  /** Elements of head_dim staged at once: a multiple of 8. */
  chunk: number;
  /** Keys (queries) whose values are staged at once. */
  slice: 8 | 16 | 32;
}

/** How a workgroup covers queries and keys. */
export type AttentionTile = PlainAttention | TiledAttention;

export interface AttentionOptions {
  headDim: number;
  /** The variant and its tiling, see `chooseAttention`; a plain one of 32 rows if left out. */
  tile?: AttentionTile;
}

/** Workgroups of 64 rows that a large GPU wants, two for each of some 132 multiprocessors. */
const GPU_GROUPS = 264;

/** The variant and its tiling for a shape on a device: tiled on a GPU, unless n is too small to share keys. */
export function chooseAttention(shape: AttentionShape, caps: Caps): AttentionTile {
  const { batch, heads, n, head_dim } = shape;
  if (caps.software) {
    // A read serves several queries and keys. llvmpipe turns each read of storage in the code into some hundred basic blocks, and unrolls
    // loops over registers up to 32 times: head_dim 64 took 12 to 24 s to compile, rolled 2 to 6. Forward and
    // dq ran twice as fast so, dk and dv took 22.8 ms where one query and key took 16.1 (2x2x113x64, a busy machine).
    return { kind: 'plain', rows: 8, each: n <= 16 ? 2 : 4, keys: 2, rolled: true };
  }
  if (n < 16 || caps.maxWorkgroupSize < 128 || caps.maxWorkgroupMemory < 16384)
    return { kind: 'plain', rows: n <= 32 ? 32 : 64 };
  const rows = n <= 32 || batch * heads * Math.ceil(n / 64) < GPU_GROUPS ? 32 : 64;
  // The chunk that needs fewest zeros past head_dim; of two, the larger: fewer barriers.
  const waste = (chunk: number) => Math.ceil(head_dim / chunk) * chunk;
  const chunk = head_dim <= 8 ? 8 : waste(24) <= waste(16) ? 24 : 16;
  // At 97 columns and more, two results and two blocks of 64 scores would be some 230 registers.
  return { kind: 'tiled', rows, cols: n <= 32 ? 32 : 64, colsKV: n <= 32 || head_dim > 96 ? 32 : 64, chunk, slice: 16 };
}

const side = oneOf(32, 64);

const options = group<AttentionOptions>({
  headDim: whole(1, 128),
  tile: optional(
    variants<AttentionTile>(
      'kind',
      {
        plain: group<Omit<PlainAttention, 'kind'>>({
          rows: whole(1, 256),
          each: optional(whole(1, 16)),
          keys: optional(whole(1, 16)),
          rolled: optional(flag),
        }),
        tiled: group<Omit<TiledAttention, 'kind'>>({
          rows: whole(16, 128, 16),
          cols: side,
          colsKV: optional(side),
          chunk: whole(8, 128, 8),
          slice: oneOf(8, 16, 32),
        }),
      },
      'plain',
    ),
  ),
});

type Pass = 'forward' | 'q' | 'kv';

function knobs({ headDim, tile }: AttentionOptions, pass: Pass): Record<string, KnobValue | undefined> {
  const vec = headDim % 4 === 0;
  const line = { HEAD_DIM: headDim, VEC: vec, Elem: vec ? 'vec4f' : 'f32' };
  if (tile?.kind !== 'tiled') {
    return { ...line, WG: tile?.rows, QUERIES: tile?.each, KEYS: tile?.keys, ROLLED: tile?.rolled };
  }
  return {
    ...line,
    ROWS: tile.rows,
    COLS: (pass === 'kv' ? tile.colsKV : undefined) ?? tile.cols,
    CHUNK: tile.chunk,
    SLICE: tile.slice,
  };
}

const one = (d: AttentionShape) => d.batch * d.heads * d.n * d.head_dim;
const rows = (d: AttentionShape) => d.batch * d.heads * d.n;

/** Bytes of workgroup memory of a tiled variant, as shaders/lib/attention_tile.wgsl lays it out. */
function workgroupBytes(k: Record<string, number>): number {
  const {
    HEAD_DIM: headDim,
    ROWS: rows,
    COLS: cols,
    CHUNK: chunk,
    SLICE: slice,
  } = k as Record<'HEAD_DIM' | 'ROWS' | 'COLS' | 'CHUNK' | 'SLICE', number>;
  const left = headDim % 32;
  const valueLine = 8 * Math.floor(headDim / 32) + (left > 16 ? 8 : 2 * Math.ceil(left / 8));
  const pool = Math.max((rows + cols) * ((chunk / 4) | 1), slice * (((rows / 4) | 1) + valueLine));
  return 16 * (pool + 2 * rows);
}

function check(
  d: AttentionShape,
  knobs: Readonly<Record<string, KnobValue>>,
): { what: string; fix: string } | undefined {
  const headDim = knobs.HEAD_DIM as number;
  if (d.head_dim !== headDim)
    return {
      what: `head_dim ${d.head_dim} is not the kernel's ${headDim}`,
      fix: 'create the kernel with this headDim',
    };
  if (d.n === 0) return { what: 'n is 0', fix: 'give at least one token' };
  if (!('ROWS' in knobs)) return undefined;
  const bytes = workgroupBytes(knobs as Record<string, number>);
  if (bytes > 16384)
    return {
      what: `the tile needs ${bytes} bytes of workgroup memory, of 16384`,
      fix: 'use fewer rows, or a smaller chunk or slice',
    };
  return undefined;
}

const groups = (d: AttentionShape, k: Readonly<Record<string, KnobValue>>) =>
  d.batch *
  d.heads *
  Math.ceil(d.n / (k.ROWS === undefined ? (k.WG as number) * (k.QUERIES as number) : (k.ROWS as number)));

/**
 * softmax(scale q k^T) v without an n x n matrix. Buffers f32: q, k, v [batch, heads, n, head_dim]; out [batch, n, heads,
 * head_dim]; lse [batch, heads, n]. See shaders/attention_fwd_plain.wgsl and shaders/attention_tiled_fwd.wgsl.
 */
export const attention = defineKernel({
  name: 'attention',
  options,
  shader: (o: AttentionOptions) =>
    o.tile?.kind === 'tiled' ? shaders.attention_tiled_fwd : shaders.attention_fwd_plain,
  knobs: (o: AttentionOptions) => knobs(o, 'forward'),
  sizes: (d) => ({ q: one(d), k: one(d), v: one(d), out: one(d), lse: rows(d) }),
  grid: groups,
  check,
});

/** delta = rowwise out . dout. Buffers f32: out, dout [batch, n, heads, head_dim]; delta [batch, heads, n]. */
export const attentionDelta = defineKernel({
  shader: shaders.attention_delta,
  sizes: (d) => ({ out: one(d), dout: one(d), delta: rows(d) }),
  grid: (d) => Math.ceil(rows(d) / 64),
});

/** dq. Buffers f32: q, k, v, dq [batch, heads, n, head_dim]; dout [batch, n, heads, head_dim]; lse, delta [batch, heads, n]. */
export const attentionBackwardQ = defineKernel({
  name: 'attentionBackwardQ',
  options,
  shader: (o: AttentionOptions) =>
    o.tile?.kind === 'tiled' ? shaders.attention_tiled_bwd_q : shaders.attention_bwd_q_plain,
  knobs: (o: AttentionOptions) => knobs(o, 'q'),
  sizes: (d) => ({ q: one(d), k: one(d), v: one(d), dout: one(d), lse: rows(d), delta: rows(d), dq: one(d) }),
  grid: groups,
  check,
});

/** dk and dv, the sums in a fixed order. Buffers as attentionBackwardQ, with dk and dv for dq. */
export const attentionBackwardKV = defineKernel({
  name: 'attentionBackwardKV',
  options,
  shader: (o: AttentionOptions) =>
    o.tile?.kind === 'tiled' ? shaders.attention_tiled_bwd_kv : shaders.attention_bwd_kv_plain,
  knobs: (o: AttentionOptions) => knobs(o, 'kv'),
  sizes: (d) => ({
    q: one(d),
    k: one(d),
    v: one(d),
    dout: one(d),
    lse: rows(d),
    delta: rows(d),
    dk: one(d),
    dv: one(d),
  }),
  grid: groups,
  check,
});
