/** Matrix products, attention and norms of the cases, with their backward. */
import { matmul as product } from '../../src/autograd/ops/matmul.ts';
import { normModulate } from '../../src/autograd/ops/norm.ts';
import type { GradSink, Tape } from '../../src/autograd/tape.ts';
import {
  attention,
  attentionBackwardKV,
  attentionBackwardQ,
  attentionDelta,
  chooseAttention,
} from '../../src/kernels/attention.ts';
import { type MatmulLayout, matmul as matmulKernel } from '../../src/kernels/matmul.ts';
import { norm as normKernel } from '../../src/kernels/norm.ts';
import type { Tensor } from '../../src/tensor/index.ts';
import { need } from './case.ts';

export interface Epilogue {
  bias?: Tensor | undefined;
  residual?: Tensor | undefined;
}

/** One batched product in one pass over k: a [batch, m, k], b [batch, k, n], stored as the layout says -> [batch, m, n]. No gradient. */
export function batched(tape: Tape, layout: MatmulLayout, a: Tensor, b: Tensor, epilogue: Epilogue = {}): Tensor {
  const { device } = tape.workspace;
  const [batch, a0, a1] = a.shape as [number, number, number];
  const [, b0, b1] = b.shape as [number, number, number];
  const [m, k] = layout === 'tn' ? [a1, a0] : [a0, a1];
  const [n, depth] = layout === 'nt' ? [b0, b1] : [b1, b0];
  need(k === depth && b.shape[0] === batch, `a product of [${a.shape}] and [${b.shape}] as ${layout}`);
  const { bias, residual } = epilogue;
  const fused = { bias: bias !== undefined, residual: residual !== undefined };
  const out = tape.alloc(batch, m, n);
  const residual_rows = residual ? residual.count / n / batch : 1;
  const dims = { m, n, k, batch, residual_rows };
  tape.run(matmulKernel.prepare(device, { layout, ...fused }, { m, n, k, batch }), { a, b, bias, residual, out }, dims);
  return out;
}

/** numpy's matmul: a vector is a row or a column that the result does not keep. */
export function matmul(tape: Tape, a: Tensor, b: Tensor): Tensor {
  need(a.shape.length > 0 && b.shape.length > 0, 'a product of scalars');
  const left = a.shape.length === 1 ? a.view(1, a.count) : a;
  const right = b.shape.length === 1 ? b.view(b.count, 1) : b;
  need(left.shape.at(-1) === right.shape.at(-2), `a product of [${a.shape}] and [${b.shape}]`);
  const whole = product(tape, left, right);
  const [m, n] = whole.shape.slice(-2) as [number, number];
  const ends = [...(a.shape.length === 1 ? [] : [m]), ...(b.shape.length === 1 ? [] : [n])];
  return whole.view(...whole.shape.slice(0, -2), ...ends);
}

/** softmax(scale q k^T) v for q, k, v [batch, heads, n, head_dim] -> [batch, n, heads, head_dim], and the log of its sums. */
export function attend(tape: Tape, q: Tensor, k: Tensor, v: Tensor, scale: number): { out: Tensor; lse: Tensor } {
  const { device, caps } = tape.workspace;
  const [batch, heads, n, head_dim] = q.shape as [number, number, number, number];
  const shape = { batch, heads, n, head_dim };
  const options = { headDim: head_dim, tile: chooseAttention(shape, caps) };
  const dims = { ...shape, scale };
  const out = tape.alloc(batch, n, heads, head_dim);
  const lse = tape.alloc(batch, heads, n);
  tape.run(attention.prepare(device, options), { q, k, v, out, lse }, dims);
  const vjp = (dout: Tensor, sink: GradSink) => {
    const delta = tape.alloc(batch, heads, n);
    tape.run(attentionDelta.prepare(device), { out, dout, delta }, shape);
    const saved = { q, k, v, dout, lse, delta };
    sink.give(q, (dq) => tape.run(attentionBackwardQ.prepare(device, options), { ...saved, dq }, dims));
    if (!sink.needs(k) && !sink.needs(v)) return;
    const [dk, dv] = [tape.alloc(...k.shape), tape.alloc(...v.shape)] as [Tensor, Tensor];
    tape.run(attentionBackwardKV.prepare(device, options), { ...saved, dk, dv }, dims);
    sink.pass(k, dk);
    sink.pass(v, dv);
  };
  return { out: tape.push({ op: 'attend', inputs: [q, k, v], output: out, saved: [], vjp }), lse };
}

/** Columns that one head of the attention kernels holds. */
export const MAX_HEAD_DIM = 128;

export interface NormParts {
  kind: 'layer' | 'rms';
  eps: number;
  weight?: Tensor | undefined;
}

/** LayerNorm or RMSNorm of rows [rows, cols], on the tape. */
export function normRows(tape: Tape, x: Tensor, { kind, eps, weight }: NormParts): Tensor {
  return normModulate(tape, x, { kind, eps, ...(weight && { weight }) });
}

/** The norm kernel itself, with weight, bias and statistics [rows, 2] = (mean, 1 / deviation): no gradient. */
export function normWithStats(
  tape: Tape,
  x: Tensor,
  { kind, eps, weight, bias }: NormParts & { bias?: Tensor | undefined },
): { y: Tensor; stats: Tensor } {
  const { device } = tape.workspace;
  const [rows, cols] = x.shape as [number, number];
  const parts = { kind, weight: weight !== undefined, bias: bias !== undefined, stats: true };
  const [y, stats] = [tape.alloc(rows, cols), tape.alloc(rows, 2)] as [Tensor, Tensor];
  const dims = { rows, cols, eps };
  tape.run(normKernel.prepare(device, parts, { cols }), { x, weight, bias, y, stats }, dims);
  return { y, stats };
}
