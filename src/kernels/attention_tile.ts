/** How the kernels of attention, forward and backward, cover queries and keys. */
import { type Caps, flag, group, oneOf, optional, variants, whole } from '../kernel/index.ts';
import { tuningOf } from './tuning_tile.ts';

/** Sizes of q [batch, heads, n, head_dim], k [batch, kv_heads, keys, head_dim] and v [batch, kv_heads, keys, value_dim]. */
export interface AttentionShape {
  batch: number;
  heads: number;
  /** Queries. */
  n: number;
  head_dim: number;
  /** As many as queries if left out. */
  keys?: number;
  /** Heads of k and v, each shared by heads / kv_heads neighbouring heads of q; as many as of q if left out. */
  kv_heads?: number;
  /** Size of a head of v and of the result; head_dim if left out. */
  value_dim?: number;
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

/** Blocks of rows x cols scores through workgroup memory, by 8 lanes invocations. For GPUs. */
export interface TiledAttention {
  kind: 'tiled';
  /** Queries a workgroup owns (keys, in the backward of k and v). */
  rows: 32 | 64;
  /** Keys (queries) of a block: 4 or 8 a lane. */
  cols: 32 | 64 | 128;
  /** Invocations that share a row. */
  lanes: 8 | 16;
  /** Products stay loops, for a CPU's compiler: half the time to compile on llvmpipe; false if left out. */
  rolled?: boolean;
}

/** How a workgroup covers queries and keys. */
export type AttentionTile = PlainAttention | TiledAttention;

/** Columns of a head that the tiled kernels hold, and that the plain ones do. */
export const MAX_TILED = 128;
export const MAX_HEAD = 256;
/** Columns of a head up to which 64 rows a workgroup are faster than 32: past them two results take too many registers. */
const MAX_TALL = 96;

/** On a CPU adapter: columns of a head up to which loops over it are unrolled, and scores from which that is worth compiling. */
const UNROLLED = 16;
const WORTH_COMPILING = 2 ** 17;

/** The variant and its tiling for a shape on a device: tiled on a GPU, unless n is too small to share keys, or a head too large. */
export function chooseAttention(shape: AttentionShape, caps: Caps): AttentionTile {
  const { batch, heads, n, head_dim, keys = n, value_dim = head_dim } = shape;
  const width = Math.max(head_dim, value_dim);
  if (caps.software) {
    // A read serves several queries and keys. llvmpipe turns each read of storage in the code into some hundred basic blocks, and unrolls
    // loops over registers up to 32 times: head_dim 64 took 12 to 24 s to compile, rolled 2 to 6. Forward and
    // dq ran twice as fast so, dk and dv took 22.8 ms where one query and key took 16.1 (2x2x113x64, a busy machine).
    // Heads of 16 columns still fit: unrolled, a key at a time, 32x4x49x16 took 3.3 / 2.4 / 2.5 ms (forward, dq, dk and dv) where
    // rolled it took 8.7 / 7.5 / 11.5, for 10 s of compiling.
    if (width <= UNROLLED && n > 16 && batch * heads * n * keys >= WORTH_COMPILING)
      return { kind: 'plain', rows: 8, each: 4 };
    return { kind: 'plain', rows: 8, each: n <= 16 ? 2 : 4, keys: 2, rolled: true };
  }
  // So many elements are in local memory anyway; unrolled, they would take long to compile.
  if (width > MAX_TILED) return { kind: 'plain', rows: n <= 32 ? 32 : 64, rolled: true };
  if (n < 16 || caps.maxWorkgroupSize < 128 || caps.maxWorkgroupMemory < 16384)
    return { kind: 'plain', rows: n <= 32 ? 32 : 64 };
  if (Math.max(n, keys) <= 32) return { kind: 'tiled', rows: 32, cols: 32, lanes: 8 };
  const few = batch * heads * Math.ceil(n / 64) < tuningOf(caps).attention.groups;
  return { kind: 'tiled', rows: n <= 32 || few || width > MAX_TALL ? 32 : 64, cols: 64, lanes: 16 };
}

/** Bytes of the gradients by scores up to which they are stored. */
export const MOST_STORED = 2 ** 27;

/**
 * Whether the backward stores the gradients by scores, for the product that makes dq of them: five products in the place of seven.
 * Where nothing hides a key, on a GPU.
 */
export function storesScores(shape: AttentionShape, caps: Caps): boolean {
  const { batch, heads, n, keys = n } = shape;
  const bytes = 4 * batch * heads * keys * Math.ceil(n / 4) * 4;
  return chooseAttention(shape, caps).kind === 'tiled' && bytes <= Math.min(MOST_STORED, caps.maxBinding);
}

/** The option `tile` of these kernels. */
export const attentionTile = optional(
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
        rows: oneOf(32, 64),
        cols: oneOf(32, 64, 128),
        lanes: oneOf(8, 16),
        rolled: optional(flag),
      }),
    },
    'plain',
  ),
);
