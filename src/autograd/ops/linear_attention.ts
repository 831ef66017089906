import {
  linearAttentionApply,
  linearAttentionBackward,
  linearAttentionBackwardOut,
  linearAttentionBackwardState,
  linearAttentionState,
} from '../../kernels/linear_attention.ts';
import { sumCols } from '../../kernels/reduce.ts';
import { type Tensor, TensorError } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

/** Tokens of one part of the sums over them, on a GPU. */
const CHUNK = 256;
/** The reference's: it only keeps 0 / 0 at 0. */
const EPS = 1e-15;

/**
 * ReLU linear attention: out_n = sum_m v_m (relu k_m . relu q_n) / (sum_m relu k_m . relu q_n + eps), by a state of each head, linear in N.
 * qkv [B, N, 3 heads dim], each head's 3 dim channels together -> [B, N, heads dim]. Cai et al. 2023.
 */
export function linearAttention(tape: Tape, qkv: Tensor, dim: number, eps = EPS): Tensor {
  const { device } = tape.workspace;
  const dims = dimsOf(qkv, dim);
  const { batch, n, heads } = dims;
  const state = stateOf(tape, qkv, dims);
  const out = tape.alloc(batch, n, heads * dim);
  tape.run(linearAttentionApply.prepare(device), { qkv, state, out }, { ...dims, eps });
  return tape.push({
    op: 'linearAttention',
    inputs: [qkv],
    output: out,
    saved: [state],
    vjp: (dy, sink) =>
      sink.give(qkv, (dqkv) => {
        const dabove = tape.alloc(batch, n, heads, dim + 1);
        const first = linearAttentionBackwardOut.prepare(device);
        tape.run(first, { qkv, state, out, dy, dabove }, { ...dims, eps });
        const dstate = overTokens(tape, dims, (part, chunk) => {
          const second = linearAttentionBackwardState.prepare(device);
          tape.run(second, { qkv, dabove, dstate: part }, { ...dims, chunk });
        });
        tape.run(linearAttentionBackward.prepare(device), { qkv, state, dabove, dstate, dqkv }, dims);
        tape.release(dabove);
        tape.release(dstate);
      }),
  });
}

/** `linearAttention` of tokens in strips [B, N_i, 3 heads dim], over all of them -> strips [B, N_i, heads dim]. It has no backward. */
export function linearAttentionOf(tape: Tape, strips: readonly Tensor[], dim: number, eps = EPS): Tensor[] {
  const { device, stream } = tape.workspace;
  const each = strips.map((qkv) => dimsOf(qkv, dim));
  const { batch, heads } = each[0] as Dims;
  const states = tape.alloc(strips.length, batch, heads, dim + 1, dim);
  const size = states.count / strips.length;
  strips.forEach((qkv, i) => {
    const state = stateOf(tape, qkv, each[i] as Dims);
    stream.copy(state, states.slice(i * size, size));
    tape.release(state);
  });
  const state = summed(tape, states, batch, heads, dim + 1, dim);
  const outs = strips.map((qkv, i) => {
    const dims = each[i] as Dims;
    const out = tape.alloc(batch, dims.n, heads * dim);
    tape.run(linearAttentionApply.prepare(device), { qkv, state, out }, { ...dims, eps });
    return tape.push({ op: 'linearAttentionOf', inputs: [qkv], output: out, saved: [], vjp: undefined });
  });
  tape.release(state);
  return outs;
}

interface Dims {
  batch: number;
  n: number;
  heads: number;
  dim: number;
}

/** @throws TensorError */
function dimsOf(qkv: Tensor, dim: number): Dims {
  const [batch, n, width] = qkv.shape as [number, number, number];
  const heads = width / 3 / dim;
  if (!Number.isInteger(heads))
    throw new TensorError(
      `linearAttention: ${width} channels are no heads of 3 x ${dim}`,
      'give a dim that divides a third of the channels',
    );
  return { batch, n, heads, dim };
}

const stateOf = (tape: Tape, qkv: Tensor, dims: Dims): Tensor =>
  overTokens(tape, dims, (state, chunk) =>
    tape.run(linearAttentionState.prepare(tape.workspace.device), { qkv, state }, { ...dims, chunk }),
  );

/** A sum over tokens [batch, heads, dim + 1, dim], of which `write` gives the parts. */
function overTokens(tape: Tape, { batch, n, heads, dim }: Dims, write: (parts: Tensor, chunk: number) => void): Tensor {
  const chunk = tape.workspace.caps.software ? n : Math.min(n, CHUNK);
  const parts = tape.alloc(Math.ceil(n / chunk), batch, heads, dim + 1, dim);
  write(parts, chunk);
  return summed(tape, parts, batch, heads, dim + 1, dim);
}

/** Parts [parts, ...shape] added up; a single one is the sum itself. */
function summed(tape: Tape, parts: Tensor, ...shape: number[]): Tensor {
  const rows = parts.shape[0] as number;
  if (rows === 1) return parts.view(...shape);
  const out = tape.alloc(...shape);
  const dims = { rows, cols: out.count, chunk_rows: rows };
  tape.run(sumCols.prepare(tape.workspace.device, {}, dims), { x: parts, out }, dims);
  tape.release(parts);
  return out;
}
