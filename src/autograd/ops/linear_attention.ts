import { linearAttentionApply, linearAttentionState } from '../../kernels/linear_attention.ts';
import { sumCols } from '../../kernels/reduce.ts';
import { type Tensor, TensorError } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

/** Tokens of one part of the sums over them, on a GPU. */
const CHUNK = 256;

/**
 * ReLU linear attention: out_n = sum_m v_m (relu k_m . relu q_n) / (sum_m relu k_m . relu q_n + eps), by a state of each head, linear in N.
 * qkv [B, N, 3 heads dim], each head's 3 dim channels together -> [B, N, heads dim]. It has no backward. Cai et al. 2023.
 */
export function linearAttention(tape: Tape, qkv: Tensor, dim: number, eps = 1e-15): Tensor {
  const { device, caps } = tape.workspace;
  const [batch, n, width] = qkv.shape as [number, number, number];
  const heads = width / 3 / dim;
  if (!Number.isInteger(heads))
    throw new TensorError(
      `linearAttention: ${width} channels are no heads of 3 x ${dim}`,
      'give a dim that divides a third of the channels',
    );
  const dims = { batch, n, heads, dim };
  const chunk = caps.software ? n : Math.min(n, CHUNK);
  const parts = Math.ceil(n / chunk);
  const partial = tape.alloc(parts, batch, heads, dim + 1, dim);
  tape.run(linearAttentionState.prepare(device), { qkv, state: partial }, { ...dims, chunk });
  const state = parts === 1 ? partial : tape.alloc(batch, heads, dim + 1, dim);
  if (parts > 1) {
    const sums = { rows: parts, cols: state.count, chunk_rows: parts };
    tape.run(sumCols.prepare(device, {}, sums), { x: partial, out: state }, sums);
    tape.release(partial);
  }
  const out = tape.alloc(batch, n, heads * dim);
  tape.run(linearAttentionApply.prepare(device), { qkv, state, out }, { ...dims, eps });
  return tape.push({ op: 'linearAttention', inputs: [qkv], output: out, saved: [state], vjp: undefined });
}
