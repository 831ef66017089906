import { type Caps, defineKernel, flag, group, type KnobValue, oneOf, optional, whole } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import {
  type Counts,
  checkSizes,
  type AttentionSizes as Dims,
  type Knobs,
  keyRows,
  queryRows,
  type Wrong,
} from './attention_dims_tile.ts';
import {
  type AttentionShape,
  type AttentionTile,
  attentionTile,
  chooseAttention,
  MAX_HEAD,
  MAX_TILED,
} from './attention_tile.ts';

export { type AttentionNumbers, attentionDims } from './attention_dims_tile.ts';
export {
  type AttentionShape,
  type AttentionTile,
  chooseAttention,
  type PlainAttention,
  storesScores,
  type TiledAttention,
} from './attention_tile.ts';

/** How tensors are stored. */
type Dtype = 'f32' | 'f16';

/** What there is in the scores beside scale q . k. */
export interface ScoreOptions {
  /** heads is a multiple of kv_heads, not the same. */
  grouped?: boolean;
  /**
   * Query i sees the keys up to i + offset ('start': the first query and the first key are at one place), or up to i + offset +
   * keys - n ('end': the last ones are, where keys are the valid ones of the sample).
   */
  causal?: 'start' | 'end';
  /**
   * There is a mask [mask_batch, mask_heads, mask_n, keys], each size 1 or the scores': f32 that is added, of which -3e38 and less
   * hides the key; or u32 of which 0 hides it.
   */
  mask?: 'added' | 'boolean';
  /** There are lengths u32 [batch]: how many keys of a sample are valid; the others are hidden. */
  lengths?: boolean;
  /** Scores become softcap tanh(score / softcap), before the mask. */
  softcap?: boolean;
}

export interface AttentionOptions extends ScoreOptions {
  headDim: number;
  /** Size of a head of v; headDim if left out. */
  valueDim?: number;
  /** How q, k, v and out are stored, and their gradients: default f32. What is computed, lse and rows are f32. */
  dtype?: Dtype;
  /** The variant and its tiling, see `chooseAttention`; a plain one of 32 rows if left out. */
  tile?: AttentionTile;
}

const scoreOptions = {
  grouped: optional(flag),
  causal: optional(oneOf('start', 'end')),
  mask: optional(oneOf('added', 'boolean')),
  lengths: optional(flag),
  softcap: optional(flag),
} as const;

const dtype = optional(oneOf('f32', 'f16'));
const heads = { headDim: whole(1, MAX_HEAD), valueDim: optional(whole(1, MAX_HEAD)), dtype } as const;

/** What is wrong with a tile for heads of these sizes. */
function checkTile({ headDim, valueDim = headDim, tile }: AttentionOptions): { what: string; fix: string } | undefined {
  if (tile?.kind !== 'tiled') return undefined;
  if (Math.max(headDim, valueDim) > MAX_TILED)
    return { what: `a tile holds heads of up to ${MAX_TILED}`, fix: 'use a plain variant for larger ones' };
  if (tile.cols !== 4 * tile.lanes && tile.cols !== 8 * tile.lanes)
    return { what: `${tile.lanes} lanes have ${tile.cols} columns`, fix: 'give cols 4 or 8 a lane' };
  return undefined;
}

const options = group<AttentionOptions>({ ...heads, ...scoreOptions, tile: attentionTile }, checkTile);

/** How numbers are computed with and stored, by fours or one by one. */
const elements = (vec: boolean, stored: Dtype = 'f32') => {
  const four = stored === 'f16' ? 'vec4h' : 'vec4f';
  return { VEC: vec, Elem: vec ? 'vec4f' : 'f32', Stored: vec ? four : stored };
};

/** The same of results that are stored from tiles. */
const tiledResults = (vec: boolean, stored: Dtype = 'f32') => ({
  OScalar: stored,
  OElem: vec ? elements(vec, stored).Stored : `array<${stored}, 1>`,
});

/** Knobs of what all kernels of scores have. */
function scoreKnobs({ headDim, valueDim = headDim, ...o }: Omit<AttentionOptions, 'tile'>) {
  const vec = headDim % 4 === 0 && valueDim % 4 === 0;
  return {
    HEAD_DIM: headDim,
    VALUE_DIM: valueDim,
    ...elements(vec, o.dtype),
    GROUPED: o.grouped ?? false,
    CAUSAL: o.causal === undefined ? 0 : o.causal === 'start' ? 1 : 2,
    MASK: o.mask !== undefined,
    ADDS: o.mask === 'added',
    MaskElem: o.mask === 'added' ? 'f32' : 'u32',
    LENGTHS: o.lengths ?? false,
    SOFTCAP: o.softcap ?? false,
  };
}

function knobs({ tile, ...o }: AttentionOptions): Record<string, KnobValue | undefined> {
  const shared = scoreKnobs(o);
  if (tile?.kind !== 'tiled') {
    return { ...shared, WG: tile?.rows, QUERIES: tile?.each, KEYS: tile?.keys, ROLLED: tile?.rolled };
  }
  return {
    ...shared,
    ROWS: tile.rows,
    COLS: tile.cols,
    LANES: tile.lanes,
    ROLLED: tile.rolled,
    ...tiledResults(shared.VEC, o.dtype),
  };
}

const valueDim = (k: Knobs) => k.VALUE_DIM as number;

const pairs = (d: Pick<Dims, 'batch' | 'heads' | 'n'>, k: Knobs) => queryRows(d) + (k.LENGTHS ? d.batch : 0);

/** Elements of what several kernels read. */
const sizes = {
  q: (d: Counts) => queryRows(d) * d.head_dim,
  k: (d: Counts) => keyRows(d) * d.head_dim,
  v: (d: Dims, k: Knobs) => keyRows(d) * valueDim(k),
  out: (d: Dims, k: Knobs) => queryRows(d) * valueDim(k),
  mask: (d: Dims) => d.mask_batch * d.mask_heads * d.mask_n * d.keys,
  /** A pair of a query, and with lengths of a sample. */
  rows: (d: Pick<Dims, 'batch' | 'heads' | 'n'>, k: Knobs) => 2 * pairs(d, k),
};

const backward = (d: Dims, k: Knobs) => ({
  q: sizes.q(d),
  k: sizes.k(d),
  v: sizes.v(d, k),
  dout: sizes.out(d, k),
  rows: sizes.rows(d, k),
  mask: sizes.mask(d),
});

/** What is wrong with the dims, as far as it is the same for all kernels of scores. */
function checkScores(d: Dims, k: Knobs): Wrong {
  const wrong = checkSizes(d, k);
  if (wrong) return wrong;
  for (const [name, whole] of [
    ['mask_batch', d.batch],
    ['mask_heads', d.heads],
    ['mask_n', d.n],
  ] as const) {
    if (k.MASK && d[name] !== 1 && d[name] !== whole)
      return { what: `${name} is ${d[name]}`, fix: `give ${name} 1 or ${whole}` };
  }
  if (k.SOFTCAP && !(d.softcap > 0)) return { what: `softcap is ${d.softcap}`, fix: 'give softcap more than 0' };
  return undefined;
}

const choose = (o: AttentionOptions, shape: AttentionShape, caps: Caps): AttentionOptions =>
  o.tile ? o : { ...o, tile: chooseAttention({ value_dim: o.valueDim ?? shape.head_dim, ...shape }, caps) };

/** Rows that a workgroup has. */
const covered = (k: Knobs) => (k.ROWS === undefined ? (k.WG as number) * (k.QUERIES as number) : (k.ROWS as number));
const byQueries = (d: Counts, k: Knobs) => d.batch * d.heads * Math.ceil(d.n / covered(k));
const byKeys = (d: Counts, k: Knobs) => d.batch * d.kv_heads * Math.ceil(d.keys / covered(k));

/**
 * softmax(scores) v without a matrix of scores. Buffers f32, or f16 but for lse, the mask and lengths: q [batch, heads, n, head_dim]; k, v [batch, kv_heads, keys, head_dim or
 * value_dim]; out [batch, n, heads, value_dim]; lse [batch, heads, n]; optional mask, and lengths u32 [batch]. Rules of masks:
 * shaders/lib/attention.wgsl. A query that sees no key has result 0 and gives no gradient.
 */
export const attention = defineKernel({
  name: 'attention',
  options,
  choose,
  shader: (o: AttentionOptions) =>
    o.tile?.kind === 'tiled' ? shaders.attention_tiled_fwd : shaders.attention_fwd_plain,
  knobs: (o: AttentionOptions) => knobs(o),
  sizes: (d, k) => ({
    q: sizes.q(d),
    k: sizes.k(d),
    v: sizes.v(d, k),
    mask: sizes.mask(d),
    lengths: d.batch,
    out: sizes.out(d, k),
    lse: queryRows(d),
  }),
  grid: byQueries,
  check: checkScores,
});

/** What `attentionDelta` is given: lengths, and how out and dout are stored. */
export type DeltaOptions = Pick<AttentionOptions, 'lengths' | 'dtype'>;

/**
 * What the backward kernels need of each query, (lse, delta) with delta = out . dout, and with lengths of each sample. Buffers f32:
 * out, dout [batch, n, heads, value_dim], f16 with that dtype; lse [batch, heads, n]; rows, pairs [batch, heads, n] and with lengths as many more as
 * samples; optional lengths u32 [batch].
 */
export const attentionDelta = defineKernel({
  options: group<DeltaOptions>({ lengths: optional(flag), dtype }),
  shader: shaders.attention_delta,
  // Neighbours read neighbours on a GPU; a CPU walks a row.
  knobs: (o: DeltaOptions | undefined, { software }) => ({
    LENGTHS: o?.lengths ?? false,
    Stored: o?.dtype,
    ...(software && { LANES: 1, ROWS: 64 }),
  }),
  sizes: (d, k) => {
    const out = queryRows(d) * d.value_dim;
    return { out, dout: out, lse: queryRows(d), lengths: d.batch, rows: sizes.rows(d, k) };
  },
  grid: (d, k) => Math.ceil(pairs(d, k) / (k.ROWS as number)),
});

/** dq. Buffers: q, dq, k, v, mask as `attention` has them; dout as its out; rows from `attentionDelta`. */
export const attentionBackwardQ = defineKernel({
  name: 'attentionBackwardQ',
  options,
  choose,
  shader: (o: AttentionOptions) =>
    o.tile?.kind === 'tiled' ? shaders.attention_tiled_bwd_q : shaders.attention_bwd_q_plain,
  knobs: (o: AttentionOptions) => knobs(o),
  sizes: (d, k) => ({ ...backward(d, k), dq: sizes.q(d) }),
  grid: byQueries,
  check: checkScores,
});

/** dk and dv, the sums in a fixed order, over the group of heads too. Buffers as attentionBackwardQ, with dk and dv for dq. */
export const attentionBackwardKV = defineKernel({
  name: 'attentionBackwardKV',
  options,
  choose,
  shader: (o: AttentionOptions) =>
    o.tile?.kind === 'tiled' ? shaders.attention_tiled_bwd_kv : shaders.attention_bwd_kv_plain,
  knobs: (o: AttentionOptions) => knobs(o),
  sizes: (d, k) => ({ ...backward(d, k), dk: sizes.k(d), dv: sizes.v(d, k) }),
  grid: byKeys,
  check: checkScores,
});

export type StoredOptions = Pick<AttentionOptions, 'headDim' | 'valueDim' | 'dtype' | 'grouped' | 'softcap' | 'tile'>;

const storedOptions = group<StoredOptions>(
  { ...heads, grouped: optional(flag), softcap: optional(flag), tile: attentionTile },
  (o) => (o.tile?.kind === 'plain' ? { what: 'a plain variant stores nothing', fix: 'use a tiled one' } : checkTile(o)),
);

const chooseStored = (o: StoredOptions, shape: AttentionShape, caps: Caps): StoredOptions => {
  const { tile } = choose(o, shape, caps);
  return tile?.kind === 'tiled' ? { ...o, tile } : o;
};

const storedKnobs = (o: StoredOptions) =>
  knobs({ tile: { kind: 'tiled', rows: 32, cols: 32, lanes: 8, rolled: true }, ...o });
const dscores = (d: Counts) => d.batch * d.heads * d.keys * Math.ceil(d.n / 4) * 4;

/**
 * dk and dv as `attentionBackwardKV`, and for `attentionBackwardStoredQ` the gradients by scores, dscores [batch, heads, keys, n up to
 * a multiple of 4], f32. Where nothing hides a key.
 */
export const attentionBackwardStored = defineKernel({
  name: 'attentionBackwardStored',
  options: storedOptions,
  choose: chooseStored,
  shader: shaders.attention_tiled_bwd_kv,
  knobs: (o: StoredOptions) => ({ ...storedKnobs(o), STORES: true }),
  sizes: (d, k) => ({ ...backward(d, k), dk: sizes.k(d), dv: sizes.v(d, k), dscores: dscores(d) }),
  grid: byKeys,
  check: checkScores,
});

/** dq from the dscores of `attentionBackwardStored`. Buffers k and dq as attentionBackwardQ has them. */
export const attentionBackwardStoredQ = defineKernel({
  name: 'attentionBackwardStoredQ',
  options: storedOptions,
  choose: chooseStored,
  shader: shaders.attention_tiled_bwd_q_stored,
  knobs: (o: StoredOptions) => {
    const { HEAD_DIM, GROUPED, ROWS, COLS, LANES, ROLLED } = storedKnobs(o);
    const vec = o.headDim % 4 === 0;
    const own = { ...elements(vec, o.dtype), ...tiledResults(vec, o.dtype) };
    return { HEAD_DIM, GROUPED, ROWS, COLS, LANES, ROLLED, ...own };
  },
  sizes: (d) => ({ k: sizes.k(d), dscores: dscores(d), dq: sizes.q(d) }),
  grid: byQueries,
  check: checkSizes,
});

type MatrixOptions = Omit<AttentionOptions, 'tile'>;

/** The gradient of an added mask, a sum where the mask is broadcast. Buffers as attentionBackwardQ, with dmask for dq. */
export const attentionBackwardMask = defineKernel({
  name: 'attentionBackwardMask',
  options: group<MatrixOptions>({ ...heads, ...scoreOptions }, ({ mask }) =>
    mask === 'added' ? undefined : { what: `mask is ${mask}`, fix: "give mask 'added': no other has a gradient" },
  ),
  shader: shaders.attention_bwd_mask,
  knobs: (o: MatrixOptions) => scoreKnobs(o),
  sizes: (d, k) => ({ ...backward(d, k), dmask: sizes.mask(d) }),
  grid: (d) => Math.ceil(sizes.mask(d) / 64),
  check: checkScores,
});

export interface AttentionScoresOptions extends Omit<AttentionOptions, 'tile' | 'valueDim'> {
  /** scale q . k, after the soft cap, after the masks (minus infinity where a key is hidden), or their softmax, which needs lse. */
  stage: 'product' | 'capped' | 'masked' | 'weights';
}

/** Scores or weights as a matrix, without a gradient. Buffers as `attention`; lse for the weights; scores f32 [batch, heads, n, keys]. */
export const attentionScores = defineKernel({
  name: 'attentionScores',
  options: group<AttentionScoresOptions>({
    headDim: heads.headDim,
    dtype,
    ...scoreOptions,
    stage: oneOf('product', 'capped', 'masked', 'weights'),
  }),
  shader: shaders.attention_scores,
  knobs: ({ stage, ...o }: AttentionScoresOptions) => ({
    ...scoreKnobs(o),
    STAGE: ['product', 'capped', 'masked', 'weights'].indexOf(stage),
    WEIGHTS: stage === 'weights',
  }),
  sizes: (d) => ({
    q: sizes.q(d),
    k: sizes.k(d),
    mask: sizes.mask(d),
    lengths: d.batch,
    lse: queryRows(d),
    scores: queryRows(d) * d.keys,
  }),
  grid: (d) => Math.ceil((queryRows(d) * d.keys) / 64),
  check: checkScores,
});
