import {
  type Caps,
  defineKernel,
  flag,
  group,
  type KnobValue,
  oneOf,
  optional,
  PORTABLE,
  tileSize,
  whole,
} from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { withinGroup } from './row_tile.ts';
import { tuningOf } from './tuning_tile.ts';
import { elem, type Stored, stored } from './vec_tile.ts';

/** What is done to queries and keys. */
export interface QkNormRopeOptions {
  /** Normalisation of q and k over head_dim. */
  norm: 'none' | 'rms' | 'layer';
  /** Weight and bias after the norm, in one buffer `affine` [4, head_dim]: weight of q, of k, bias of q, of k. */
  affine?: boolean;
  /** Rotate q and k by `rope` [2, n, head_dim]: cosines, sines. */
  rope?: boolean;
  /** Invocations that share a row, see `chooseQkNormRope`; if left out one walks it, for every head_dim. */
  tile?: QkNormRopeTile;
  /** How qkv and its gradient are stored; default f32. */
  dtype?: Stored;
  /** How q, k, v and their gradients are stored; default as `dtype`. */
  outDtype?: Stored;
}

/** Invocations a row, head_dim / 4 with a vec4 each, and rows a workgroup. */
export interface QkNormRopeTile {
  lanes: number;
  rows: number;
}

/** The tile for a head size on a device, undefined where one invocation walks a row: on a CPU, and where vec4s do not fit. */
export function chooseQkNormRope(headDim: number, caps: Caps): QkNormRopeTile | undefined {
  const lanes = headDim / 4;
  if (caps.software || headDim % 4 !== 0 || lanes < 1 || lanes > Math.min(64, tileSize(caps))) return undefined;
  return { lanes, rows: Math.floor(tileSize(caps) / lanes) };
}

const norm = oneOf('none', 'rms', 'layer');
const tile = optional(group<QkNormRopeTile>({ lanes: whole(1, 64), rows: whole(1, 256) }, withinGroup));

const options = group<QkNormRopeOptions>({
  norm,
  affine: optional(flag),
  rope: optional(flag),
  tile,
  dtype: stored,
  outDtype: stored,
});

/** One invocation walks a row where there is no tile. */
function choose(o: QkNormRopeOptions, { head_dim }: { head_dim: number }, caps: Caps): QkNormRopeOptions {
  const chosen = o.tile ?? chooseQkNormRope(head_dim, caps);
  return chosen ? { ...o, tile: chosen } : o;
}

const NORMS = { none: 0, rms: 1, layer: 2 };

const knobs = (o: QkNormRopeOptions): Record<string, KnobValue | undefined> => ({
  NORM: NORMS[o.norm],
  HAS_AFFINE: o.affine ?? false,
  HAS_ROPE: o.rope ?? false,
  ...(o.tile && { LANES: o.tile.lanes, ROWS: o.tile.rows }),
  [o.tile ? 'Elem' : 'Scalar']: elem(o.tile !== undefined, o.dtype),
  Head: elem(o.tile !== undefined, o.outDtype ?? o.dtype),
});

interface HeadDims {
  batch: number;
  n: number;
  heads: number;
  head_dim: number;
}

const one = (d: HeadDims) => d.batch * d.n * d.heads * d.head_dim;
const tables = (d: HeadDims) => ({ affine: 4 * d.head_dim, rope: 2 * d.n * d.head_dim });

function check(d: HeadDims, k: Record<string, KnobValue>): { what: string; fix: string } | undefined {
  if (d.head_dim === 0) return { what: 'head_dim is 0', fix: 'give at least 1' };
  if (k.HAS_ROPE && d.head_dim % 2 !== 0)
    return { what: `head_dim ${d.head_dim} is odd`, fix: 'rotary positions turn pairs: use an even head_dim' };
  if ('LANES' in k && d.head_dim !== 4 * (k.LANES as number))
    return {
      what: `head_dim ${d.head_dim} is not ${k.LANES} invocations of four numbers`,
      fix: 'choose the tile for this head_dim, with chooseQkNormRope',
    };
  return undefined;
}

/** Workgroups, of 64 rows where an invocation walks one. */
const groups = (d: HeadDims, k: Record<string, KnobValue>) =>
  Math.ceil((3 * d.batch * d.n * d.heads) / ('ROWS' in k ? (k.ROWS as number) : 64));

/** Splits qkv [batch, n, 3, heads, head_dim] into q, k, v [batch, heads, n, head_dim]; norm, affine map and rotation of q and k; `dtype`, f32 tables. */
export const qkNormRope = defineKernel({
  name: 'qkNormRope',
  options,
  choose,
  shader: (o: QkNormRopeOptions) => (o.tile ? shaders.qk_norm_rope_lanes_fwd : shaders.qk_norm_rope_fwd),
  knobs,
  sizes: (d) => ({ qkv: 3 * one(d), ...tables(d), q: one(d), k: one(d), v: one(d) }),
  grid: groups,
  check,
});

/** dqkv, whole, from dq, dk, dv [batch, heads, n, head_dim]; `dtype`, f32 tables. */
export const qkNormRopeBackward = defineKernel({
  name: 'qkNormRopeBackward',
  options,
  choose,
  shader: (o: QkNormRopeOptions) => (o.tile ? shaders.qk_norm_rope_lanes_bwd : shaders.qk_norm_rope_bwd),
  knobs,
  sizes: (d) => ({ qkv: 3 * one(d), ...tables(d), dq: one(d), dk: one(d), dv: one(d), dqkv: 3 * one(d) }),
  grid: groups,
  check,
});

/**
 * Rows (batch, token, head) a chunk for qkNormAffineBackward, whose invocations each walk one column of q or k in a chunk, so that they
 * keep a GPU busy, any where no caps are given. Pure.
 */
export function chooseAffineChunk(rows: number, headDim: number, caps: Caps = PORTABLE): number {
  const { invocations, leastRows } = tuningOf(caps).walks;
  const chunks = Math.max(1, Math.min(Math.ceil(rows / leastRows), Math.ceil(invocations / (2 * headDim))));
  return Math.max(1, Math.ceil(rows / chunks));
}

/** Gradients of the affine map by chunks of rows (batch n heads): partial [ceil(rows/chunk_rows), 4, head_dim]; sumCols adds them. `dtype`, f32 partial. */
export const qkNormAffineBackward = defineKernel({
  shader: shaders.qk_norm_affine_bwd,
  options: group<Omit<QkNormRopeOptions, 'affine'>>({
    norm,
    rope: optional(flag),
    tile,
    dtype: stored,
    outDtype: stored,
  }),
  knobs: (o: Omit<QkNormRopeOptions, 'affine'>) => ({
    NORM: NORMS[o.norm],
    HAS_ROPE: o.rope ?? false,
    Scalar: o.dtype,
    Head: o.outDtype ?? o.dtype,
  }),
  sizes: (d) => {
    const chunks = Math.ceil((d.batch * d.n * d.heads) / d.chunk_rows);
    return { qkv: 3 * one(d), rope: tables(d).rope, dq: one(d), dk: one(d), partial: chunks * 4 * d.head_dim };
  },
  grid: (d) => Math.ceil((Math.ceil((d.batch * d.n * d.heads) / d.chunk_rows) * 2 * d.head_dim) / 64),
  check: (d, k) => (d.chunk_rows === 0 ? { what: 'chunk_rows is 0', fix: 'give rows for one chunk' } : check(d, k)),
});
