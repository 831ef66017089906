import { defineKernel, groupsOf } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

interface Heads {
  batch: number;
  n: number;
  heads: number;
  dim: number;
}

const one = (d: Heads) => d.batch * d.n * d.heads * d.dim;
const state = (d: Heads) => d.batch * d.heads * (d.dim + 1) * d.dim;

function check(d: Heads): { what: string; fix: string } | undefined {
  return d.dim === 0 ? { what: 'dim is 0', fix: 'give heads of at least one channel' } : undefined;
}

/**
 * What ReLU linear attention keeps of keys and values: state [ceil(n / chunk), batch, heads, dim + 1, dim], parts to be added up, of qkv
 * [batch, n, 3 heads dim], each head's q, k, v together. f32. See shaders/linear_attention_state.wgsl.
 */
export const linearAttentionState = defineKernel({
  shader: shaders.linear_attention_state,
  sizes: (d) => ({ qkv: 3 * one(d), state: Math.ceil(d.n / d.chunk) * state(d) }),
  grid: (d, k) => groupsOf(Math.ceil(d.n / d.chunk) * state(d), k),
  check: (d) => check(d) ?? (d.chunk === 0 ? { what: 'chunk is 0', fix: 'give at least 1, or n' } : undefined),
});

/** Its result, out [batch, n, heads dim], from qkv and state [batch, heads, dim + 1, dim]. f32. See shaders/linear_attention_apply.wgsl. */
export const linearAttentionApply = defineKernel({
  shader: shaders.linear_attention_apply,
  sizes: (d) => ({ qkv: 3 * one(d), state: state(d), out: one(d) }),
  grid: (d, k) => groupsOf(one(d), k),
  check,
});
