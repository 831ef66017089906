/** Matrix products, attention and norms of the cases, with their backward. */
import { matmul as product } from '../../src/autograd/ops/matmul.ts';
import { normModulate } from '../../src/autograd/ops/norm.ts';
import type { Tape } from '../../src/autograd/tape.ts';
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
