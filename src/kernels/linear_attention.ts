import { defineKernel, groupsOf } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

interface Heads {
  batch: number;
  n: number;
  heads: number;
  dim: number;
}

const one = (d: Heads) => d.batch * d.n * d.heads * d.dim;
const above = (d: Heads) => d.batch * d.n * d.heads * (d.dim + 1);
const state = (d: Heads) => d.batch * d.heads * (d.dim + 1) * d.dim;

function check(d: Heads): { what: string; fix: string } | undefined {
  return d.dim === 0 ? { what: 'dim is 0', fix: 'give heads of at least one channel' } : undefined;
}

const checkChunk = (d: Heads & { chunk: number }) =>
  check(d) ?? (d.chunk === 0 ? { what: 'chunk is 0', fix: 'give at least 1, or n' } : undefined);

/**
 * What ReLU linear attention keeps of keys and values: state [ceil(n / chunk), batch, heads, dim + 1, dim], parts to be added up, of qkv
 * [batch, n, 3 heads dim], each head's q, k, v together. f32. See shaders/linear_attention_state.wgsl.
 */
export const linearAttentionState = defineKernel({
  shader: shaders.linear_attention_state,
  sizes: (d) => ({ qkv: 3 * one(d), state: Math.ceil(d.n / d.chunk) * state(d) }),
  grid: (d, k) => groupsOf(Math.ceil(d.n / d.chunk) * state(d), k),
  check: checkChunk,
});

/** Its result, out [batch, n, heads dim], from qkv and state [batch, heads, dim + 1, dim]. f32. See shaders/linear_attention_apply.wgsl. */
export const linearAttentionApply = defineKernel({
  shader: shaders.linear_attention_apply,
  sizes: (d) => ({ qkv: 3 * one(d), state: state(d), out: one(d) }),
  grid: (d, k) => groupsOf(one(d), k),
  check,
});

/**
 * First pass of the backward: dabove [batch, n, heads, dim + 1], the gradients by the numerators and, last, the denominator of each token's
 * heads. Buffers f32: qkv, state, out as above; dy as out. See shaders/linear_attention_bwd_out.wgsl.
 */
export const linearAttentionBackwardOut = defineKernel({
  shader: shaders.linear_attention_bwd_out,
  sizes: (d) => ({ qkv: 3 * one(d), state: state(d), out: one(d), dy: one(d), dabove: above(d) }),
  grid: (d, k) => groupsOf(d.batch * d.n * d.heads, k),
  check,
});

/**
 * Second pass: dstate [ceil(n / chunk), batch, heads, dim + 1, dim], parts to be added up. Buffers f32: qkv, dabove as above.
 * See shaders/linear_attention_bwd_state.wgsl.
 */
export const linearAttentionBackwardState = defineKernel({
  shader: shaders.linear_attention_bwd_state,
  sizes: (d) => ({ qkv: 3 * one(d), dabove: above(d), dstate: Math.ceil(d.n / d.chunk) * state(d) }),
  grid: (d, k) => groupsOf(Math.ceil(d.n / d.chunk) * state(d), k),
  check: checkChunk,
});

/** Third pass: dqkv, as qkv. Buffers f32: qkv, state, dabove, dstate as above. See shaders/linear_attention_bwd_qkv.wgsl. */
export const linearAttentionBackward = defineKernel({
  shader: shaders.linear_attention_bwd_qkv,
  sizes: (d) => ({ qkv: 3 * one(d), state: state(d), dabove: above(d), dstate: state(d), dqkv: 3 * one(d) }),
  grid: (d, k) => groupsOf(3 * one(d), k),
  check,
});
