import { defineKernel, flag, group, type KernelFamily, optional, whole } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { type Counts, checkSizes, type Knobs, keyRows, queryRows } from './attention_dims_tile.ts';
import { MAX_MATRIX_BACKWARD, storedScores } from './attention_matrix_tile.ts';
import { MAX_TILED } from './attention_tile.ts';

export { attentionDims } from './attention_dims_tile.ts';
export { attentionOnMatrices } from './attention_matrix_tile.ts';

export interface MatrixAttentionOptions {
  /** Size of a head of q, k and v: a multiple of 8, up to 128, of the backward by k and v up to 80. */
  headDim: number;
  /** heads is a multiple of kv_heads, not the same. */
  grouped?: boolean;
}

/** The shaders of attention on subgroup matrices. */
export const ATTENTION_SHADERS = {
  forward: shaders.attention_matrix_fwd,
  backward: shaders.attention_matrix_bwd_kv,
  backwardQ: shaders.attention_matrix_bwd_q,
};

export interface MatrixAttention {
  forward: KernelFamily<shaders.AttentionMatrixFwd, MatrixAttentionOptions>;
  backward: KernelFamily<shaders.AttentionMatrixBwdKv, MatrixAttentionOptions>;
  backwardQ: KernelFamily<shaders.AttentionMatrixBwdQ, MatrixAttentionOptions>;
}

const options = (most: number) =>
  group<MatrixAttentionOptions>({ headDim: whole(1, most), grouped: optional(flag) }, ({ headDim }) =>
    headDim % 8 === 0 ? undefined : { what: `headDim is ${headDim}`, fix: 'give a multiple of 8, or use attention' },
  );

const knobs = ({ headDim, grouped }: MatrixAttentionOptions) => ({ HEAD_DIM: headDim, GROUPED: grouped ?? false });

/** Workgroups of 64 rows. */
const byRows = (heads: number, rows: number) => heads * Math.ceil(rows / 64);

const ofQueries = (d: Counts) => queryRows(d) * d.head_dim;
const ofKeys = (d: Counts) => keyRows(d) * d.head_dim;
const check = (d: Counts, k: Knobs) => checkSizes(d, k);

/** The families over texts of their shaders: a test that emulates subgroup matrices gives its own. */
export function defineMatrixAttention(sources: typeof ATTENTION_SHADERS): MatrixAttention {
  return {
    forward: defineKernel({
      name: 'matrixAttention',
      options: options(MAX_TILED),
      shader: sources.forward,
      knobs,
      sizes: (d: Counts) => ({ q: ofQueries(d), k: ofKeys(d), v: ofKeys(d), out: ofQueries(d), lse: queryRows(d) }),
      grid: (d) => byRows(d.batch * d.heads, d.n),
      check,
    }),
    backward: defineKernel({
      name: 'matrixAttentionBackward',
      options: options(MAX_MATRIX_BACKWARD),
      shader: sources.backward,
      knobs,
      sizes: (d: Counts) => ({
        ...{ q: ofQueries(d), k: ofKeys(d), v: ofKeys(d), dout: ofQueries(d), rows: 2 * queryRows(d) },
        ...{ dk: ofKeys(d), dv: ofKeys(d), dscores: storedScores(d) },
      }),
      grid: (d) => byRows(d.batch * d.kv_heads, d.keys),
      check,
    }),
    backwardQ: defineKernel({
      name: 'matrixAttentionBackwardQ',
      options: options(MAX_TILED),
      shader: sources.backwardQ,
      knobs,
      sizes: (d: Counts) => ({ k: ofKeys(d), dscores: storedScores(d), dq: ofQueries(d) }),
      grid: (d) => byRows(d.batch * d.heads, d.n),
      check,
    }),
  };
}

const families = defineMatrixAttention(ATTENTION_SHADERS);

/**
 * softmax(scale q k^T) v on subgroup matrices, where `attentionOnMatrices` says so: products of halves, sums and exponentials f32. Buffers
 * f16: q [batch, heads, n, head_dim]; k, v [batch, kv_heads, keys, head_dim]; out [batch, n, heads, head_dim]; f32: lse [batch, heads, n].
 * Every query sees every key; for masks, and on any device, `attention` with dtype f16. See shaders/attention_matrix_fwd.wgsl.
 */
export const matrixAttention = families.forward;

/**
 * dk and dv, and for `matrixAttentionBackwardQ` the gradients by scores, dscores f16 [batch, heads, keys, n up to a multiple of 8].
 * Buffers f16 as `matrixAttention` has them, dout as out; f32: rows from `attentionDelta`. See shaders/attention_matrix_bwd_kv.wgsl.
 */
export const matrixAttentionBackward = families.backward;

/** dq from k and dscores, f16. See shaders/attention_matrix_bwd_q.wgsl. */
export const matrixAttentionBackwardQ = families.backwardQ;
