/** Matrix products, attention and norms of the cases, with their backward. */
import { attention } from '../../src/autograd/ops/attention.ts';
import { normModulate } from '../../src/autograd/ops/norm.ts';
import type { GradSink, Tape } from '../../src/autograd/tape.ts';
import { chooseMatmul, type MatmulLayout, matmul as matmulKernel } from '../../src/kernels/matmul.ts';
import { chooseNorm, norm as normKernel } from '../../src/kernels/norm.ts';
import type { Tensor } from '../../src/tensor/index.ts';
import { need, product } from './case.ts';
import { broadcast, expand, pad, slice, tensor } from './tensors.ts';

export interface Epilogue {
  bias?: Tensor | undefined;
  residual?: Tensor | undefined;
}

/** One batched product in one pass over k: a [batch, m, k], b [batch, k, n], stored as the layout says -> [batch, m, n]. No gradient. */
export function batched(tape: Tape, layout: MatmulLayout, a: Tensor, b: Tensor, epilogue: Epilogue = {}): Tensor {
  const { device, caps } = tape.workspace;
  const [batch, a0, a1] = a.shape as [number, number, number];
  const [, b0, b1] = b.shape as [number, number, number];
  const [m, k] = layout === 'tn' ? [a1, a0] : [a0, a1];
  const [n, depth] = layout === 'nt' ? [b0, b1] : [b1, b0];
  need(k === depth && b.shape[0] === batch, `a product of [${a.shape}] and [${b.shape}] as ${layout}`);
  const { splits: _, kChunk: __, ...tile } = chooseMatmul({ m, n, k, batch, split: false }, caps);
  const { bias, residual } = epilogue;
  const fused = { bias: bias !== undefined, residual: residual !== undefined };
  const out = tape.alloc(batch, m, n);
  const residual_rows = residual ? residual.count / n / batch : 1;
  const dims = { m, n, k, batch, k_chunk: k, gate_rows: 1, gate_stride: 0, gate_offset: 0, residual_rows };
  tape.run(matmulKernel.prepare(device, { layout, tile, ...fused }), { a, b, bias, residual, out }, dims);
  return out;
}

/** a b on the tape, [batch, m, k] [batch, k, n] -> [batch, m, n]; the layouts of its backward are the other two. */
export function multiply(tape: Tape, a: Tensor, b: Tensor): Tensor {
  const vjp = (dy: Tensor, sink: GradSink) => {
    if (sink.needs(a)) sink.pass(a, batched(tape, 'nt', dy, b));
    if (sink.needs(b)) sink.pass(b, batched(tape, 'tn', a, dy));
  };
  return tape.push({ op: 'matmul', inputs: [a, b], output: batched(tape, 'nn', a, b), saved: [], vjp });
}

/** numpy's matmul: [..., m, k] [..., k, n] -> [..., m, n]; a vector is a row or a column that the result does not keep. */
export function matmul(tape: Tape, a: Tensor, b: Tensor): Tensor {
  const left = a.shape.length === 1 ? a.view(1, a.count) : a;
  const right = b.shape.length === 1 ? b.view(b.count, 1) : b;
  need(a.shape.length > 0 && b.shape.length > 0, 'a product of scalars');
  const [m, k] = left.shape.slice(-2) as [number, number];
  const [depth, n] = right.shape.slice(-2) as [number, number];
  need(k === depth, `a product of [${a.shape}] and [${b.shape}]`);
  const lead = broadcast(left.shape.slice(0, -2), right.shape.slice(0, -2));
  const batch = product(lead);
  const ends = [...(a.shape.length === 1 ? [] : [m]), ...(b.shape.length === 1 ? [] : [n])];
  // One matrix for every batch: the batch is more rows.
  if (right.shape.length === 2)
    return multiply(tape, left.view(1, batch * m, k), right.view(1, k, n)).view(...lead, ...ends);
  const whole = (t: Tensor, rows: number, cols: number) =>
    expand(tape, t, [...lead, rows, cols]).view(batch, rows, cols);
  return multiply(tape, whole(left, m, k), whole(right, k, n)).view(...lead, ...ends);
}

/** Columns that one head of the attention kernels holds, and compiles in good time. */
const MAX_HEAD_DIM = 128;

/** softmax of rows [rows, cols]: the rows are queries, keys and values are one-hot, so a score is an element. */
export function softmaxRows(tape: Tape, x: Tensor): Tensor {
  const [rows, cols] = x.shape as [number, number];
  need(cols <= MAX_HEAD_DIM, `softmax on its own, of more than ${MAX_HEAD_DIM} elements`);
  const batch = Math.ceil(rows / cols);
  const padded = pad(tape, x, 0, 0, batch * cols - rows);
  const identity = Float32Array.from({ length: batch * cols * cols }, (_, i) =>
    Math.floor(i / cols) % cols === i % cols ? 1 : 0,
  );
  const unit = tensor(tape, [batch, 1, cols, cols], identity);
  const out = attention(tape, padded.view(batch, 1, cols, cols), unit, unit, { scale: 1 });
  return slice(tape, out.view(batch * cols, cols), 0, 0, rows);
}

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
  const { device, caps } = tape.workspace;
  const [rows, cols] = x.shape as [number, number];
  const parts = { kind, weight: weight !== undefined, bias: bias !== undefined, stats: true };
  const [y, stats] = [tape.alloc(rows, cols), tape.alloc(rows, 2)] as [Tensor, Tensor];
  const dims = { rows, cols, mod_rows: 1, mod_stride: 0, scale_offset: 0, shift_offset: 0, eps };
  tape.run(normKernel.prepare(device, { ...parts, tile: chooseNorm(cols, caps) }), { x, weight, bias, y, stats }, dims);
  return { y, stats };
}
