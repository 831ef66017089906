import { attention, attentionBackwardKV, attentionBackwardQ, attentionDelta, chooseAttention } from '../../kernels/attention.ts';
import { qkNormRope, qkNormRopeBackward, qkNormWeightBackward } from '../../kernels/qk_norm_rope.ts';
import { chooseChunk } from '../../kernels/reduce.ts';
import { Storage, Tensor } from '../../tensor/index.ts';
import type { GradSink, Tape } from '../tape.ts';
import { columnSums } from './linear.ts';

export interface SelfAttentionOptions {
  heads: number;
  /** Normalisation of q and k over head_dim, before the rotation. */
  norm: 'none' | 'rms' | 'layer';
  eps: number;
  /** [head_dim], trained; both or neither. */
  qWeight?: Tensor;
  kWeight?: Tensor;
  /** [2, N, head_dim]: cosines, then sines. */
  rope?: Tensor;
}

/**
 * Self-attention of a fused projection: split, normalise and rotate q and k, then softmax(q k^T / sqrt(head_dim)) v without
 * storing N x N. qkv [B, N, 3D] -> [B, N, D].
 */
export function selfAttention(tape: Tape, qkv: Tensor, o: SelfAttentionOptions): Tensor {
  const { device, caps } = tape.workspace;
  const [batch, n, width] = qkv.shape as [number, number, number];
  const { heads } = o;
  const head_dim = width / 3 / heads;
  if (!Number.isInteger(head_dim)) throw new RangeError(`attention: a projection of ${width} does not split into 3 x ${heads} heads`);
  const weighted = o.qWeight !== undefined;
  const options = { norm: o.norm, weight: weighted, rope: o.rope !== undefined };
  const prepareDims = { batch, n, heads, head_dim, eps: o.eps };
  const [q, k, v] = [0, 1, 2].map(() => tape.alloc(batch, heads, n, head_dim)) as [Tensor, Tensor, Tensor];
  const shared = { qkv, q_weight: o.qWeight, k_weight: o.kWeight, rope: o.rope };
  tape.run(qkNormRope.prepare(device, options), { ...shared, q, k, v }, prepareDims);

  const shape = { batch, heads, n, head_dim };
  const dims = { ...shape, scale: 1 / Math.sqrt(head_dim) };
  const kernelOptions = { headDim: head_dim, tile: chooseAttention(shape, caps) };
  const out = tape.alloc(batch, n, heads * head_dim);
  const lse = tape.alloc(batch, heads, n);
  tape.run(attention.prepare(device, kernelOptions), { q, k, v, out, lse }, dims);
  return tape.push({
    op: 'selfAttention',
    inputs: [qkv, ...(o.qWeight && o.kWeight ? [o.qWeight, o.kWeight] : [])],
    output: out,
    saved: [q, k, v, lse],
    vjp: (dout, sink) => {
      const [dq, dk, dv] = [0, 1, 2].map(() => tape.alloc(batch, heads, n, head_dim)) as [Tensor, Tensor, Tensor];
      const delta = tape.alloc(batch, heads, n);
      tape.run(attentionDelta.prepare(device, kernelOptions), { out, dout, delta }, shape);
      tape.run(attentionBackwardQ.prepare(device, kernelOptions), { q, k, v, dout, lse, delta, dq }, dims);
      tape.run(attentionBackwardKV.prepare(device, kernelOptions), { q, k, v, dout, lse, delta, dk, dv }, dims);
      if (o.qWeight && o.kWeight) weightGradients(tape, sink, o.qWeight, o.kWeight, { qkv, rope: o.rope, dq, dk }, options, prepareDims);
      sink.give(qkv, (dqkv) => {
        tape.run(qkNormRopeBackward.prepare(device, options), { ...shared, dq, dk, dv, dqkv }, prepareDims);
      });
      for (const t of [dq, dk, dv, delta]) tape.release(t);
    },
  });
}

/** The gradients of both norms' weights: partial sums over chunks of rows, then their sum, q and k at once. */
function weightGradients(
  tape: Tape,
  sink: GradSink,
  qWeight: Tensor,
  kWeight: Tensor,
  from: { qkv: Tensor; rope: Tensor | undefined; dq: Tensor; dk: Tensor },
  options: { norm: 'none' | 'rms' | 'layer'; weight: boolean; rope: boolean },
  dims: { batch: number; n: number; heads: number; head_dim: number; eps: number },
): void {
  const rows = dims.batch * dims.n * dims.heads;
  const chunk_rows = chooseChunk(rows, 2 * dims.head_dim);
  const chunks = Math.ceil(rows / chunk_rows);
  const partial = tape.alloc(2, chunks, dims.head_dim);
  const kernel = qkNormWeightBackward.prepare(tape.workspace.device, options);
  tape.run(kernel, { ...from, dweight_partial: partial }, { ...dims, chunk_rows });
  [qWeight, kWeight].forEach((weight, i) => {
    sink.give(weight, (dweight) => {
      const part = tape.alloc(chunks, dims.head_dim);
      tape.workspace.stream.copy(half(partial, i, chunks, dims.head_dim), part);
      columnSums(tape, part, chunks, dims.head_dim, dweight);
      tape.release(part);
    });
  });
  tape.release(partial);
}

/** One half of [2, chunks, cols] as a copy source; a copy needs no 256-byte alignment, a binding would. */
function half(t: Tensor, i: number, chunks: number, cols: number): Tensor {
  const size = chunks * cols * 4;
  return new Tensor([chunks, cols], new Storage(t.buffer, t.offset + i * size, size));
}
