import {
  attention,
  attentionBackwardKV,
  attentionBackwardQ,
  attentionDelta,
  chooseAttention,
} from '../../kernels/attention.ts';
import {
  chooseAffineChunk,
  chooseQkNormRope,
  qkNormAffineBackward,
  qkNormRope,
  qkNormRopeBackward,
} from '../../kernels/qk_norm_rope.ts';
import { type Tensor, TensorError } from '../../tensor/index.ts';
import type { GradSink, Tape } from '../tape.ts';
import { columnSums } from './linear.ts';

export interface SelfAttentionOptions {
  heads: number;
  /** Normalisation of q and k over head_dim, before the rotation. */
  norm: 'none' | 'rms' | 'layer';
  eps: number;
  /** Weights and biases [head_dim] after the norm of q and k, trained; a bias left out is 0. */
  affine?: { qWeight: Tensor; kWeight: Tensor; qBias?: Tensor; kBias?: Tensor };
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
  if (!Number.isInteger(head_dim))
    throw new TensorError(
      `attention: a projection of ${width} does not split into 3 x ${heads} heads`,
      'give a number of heads that divides a third of the width',
    );
  const affine = o.affine && packAffine(tape, o.affine, head_dim);
  const options = { norm: o.norm, affine: affine !== undefined, rope: o.rope !== undefined };
  const tile = chooseQkNormRope(head_dim, caps);
  const split = tile ? { ...options, tile } : options;
  const prepareDims = { batch, n, heads, head_dim, eps: o.eps };
  const [q, k, v] = [0, 1, 2].map(() => tape.alloc(batch, heads, n, head_dim)) as [Tensor, Tensor, Tensor];
  const shared = { qkv, affine, rope: o.rope };
  tape.run(qkNormRope.prepare(device, split), { ...shared, q, k, v }, prepareDims);

  const shape = { batch, heads, n, head_dim };
  const dims = { ...shape, scale: 1 / Math.sqrt(head_dim) };
  const kernelOptions = { headDim: head_dim, tile: chooseAttention(shape, caps) };
  const out = tape.alloc(batch, n, heads * head_dim);
  const lse = tape.alloc(batch, heads, n);
  tape.run(attention.prepare(device, kernelOptions), { q, k, v, out, lse }, dims);
  return tape.push({
    op: 'selfAttention',
    inputs: [qkv, ...(o.affine ? Object.values(o.affine) : [])],
    output: out,
    saved: [q, k, v, lse, ...(affine ? [affine] : [])],
    vjp: (dout, sink) => {
      const [dq, dk, dv] = [0, 1, 2].map(() => tape.alloc(batch, heads, n, head_dim)) as [Tensor, Tensor, Tensor];
      const delta = tape.alloc(batch, heads, n);
      tape.run(attentionDelta.prepare(device), { out, dout, delta }, shape);
      tape.run(attentionBackwardQ.prepare(device, kernelOptions), { q, k, v, dout, lse, delta, dq }, dims);
      tape.run(attentionBackwardKV.prepare(device, kernelOptions), { q, k, v, dout, lse, delta, dk, dv }, dims);
      if (o.affine) affineGradients(tape, sink, o.affine, { qkv, rope: o.rope, dq, dk }, options, prepareDims);
      sink.give(qkv, (dqkv) => {
        tape.run(qkNormRopeBackward.prepare(device, split), { ...shared, dq, dk, dv, dqkv }, prepareDims);
      });
      for (const t of [dq, dk, dv, delta]) tape.release(t);
    },
  });
}

/** Rows of the packed affine map: weight of q, of k, bias of q, of k. */
function affineRows(affine: NonNullable<SelfAttentionOptions['affine']>): (Tensor | undefined)[] {
  return [affine.qWeight, affine.kWeight, affine.qBias, affine.kBias];
}

/** The affine maps of q and k side by side, [4, head_dim]: one binding of the kernel. */
function packAffine(tape: Tape, affine: NonNullable<SelfAttentionOptions['affine']>, headDim: number): Tensor {
  const packed = tape.alloc(4, headDim);
  affineRows(affine).forEach((part, i) => {
    if (part) tape.workspace.stream.copy(part, row(packed, i, headDim));
    else tape.workspace.stream.clear(row(packed, i, headDim));
  });
  return packed;
}

/** Their gradients: partial sums over chunks of rows, then the sums of all four rows at once. */
function affineGradients(
  tape: Tape,
  sink: GradSink,
  affine: NonNullable<SelfAttentionOptions['affine']>,
  from: { qkv: Tensor; rope: Tensor | undefined; dq: Tensor; dk: Tensor },
  options: { norm: 'none' | 'rms' | 'layer'; rope: boolean },
  dims: { batch: number; n: number; heads: number; head_dim: number; eps: number },
): void {
  const { head_dim } = dims;
  const rows = dims.batch * dims.n * dims.heads;
  const chunk_rows = chooseAffineChunk(rows, head_dim);
  const chunks = Math.ceil(rows / chunk_rows);
  const partial = tape.alloc(chunks, 4 * head_dim);
  const kernel = qkNormAffineBackward.prepare(tape.workspace.device, { norm: options.norm, rope: options.rope });
  tape.run(kernel, { ...from, partial }, { ...dims, chunk_rows });
  const sums = tape.alloc(4, head_dim);
  columnSums(tape, partial, chunks, 4 * head_dim, sums);
  affineRows(affine).forEach((part, i) => {
    if (part) sink.give(part, (to) => tape.workspace.stream.copy(row(sums, i, head_dim), to));
  });
  tape.release(partial);
  tape.release(sums);
}

/** One row of a packed tensor, to copy from or to: a copy needs no 256-byte alignment, a binding would. */
function row(t: Tensor, i: number, cols: number): Tensor {
  return t.slice(i * cols, cols);
}
