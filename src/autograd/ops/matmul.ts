import type { MatmulLayout, MatmulShare } from '../../kernels/matmul.ts';
import { sumCols } from '../../kernels/reduce.ts';
import { count, type Tensor, TensorError } from '../../tensor/index.ts';
import type { GradSink, Tape } from '../tape.ts';
import { columnSums, splitProduct } from './product.ts';

/** The matrices of an operand: the batch goes through `count` of them `times` over, and `each` neighbours share one. */
interface Operand {
  readonly tensor: Tensor;
  readonly times: number;
  readonly count: number;
  readonly each: number;
}

interface Shape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batch: number;
}

/**
 * Matrix products, [..., m, k] [..., k, n] -> [..., m, n]. Batch axes broadcast as numpy's do, without copies, where those that an
 * operand has lie together: of [B, H] it may have [B, 1], [1, H], [H], [1, 1] or none, but of [A, B, C] not [A, 1, C].
 */
export function matmul(tape: Tape, a: Tensor, b: Tensor): Tensor {
  const [m, k] = a.shape.slice(-2) as [number, number];
  const [depth, n] = b.shape.slice(-2) as [number, number];
  const lead = batchAxes(a, b);
  if (!lead || k !== depth)
    throw new TensorError(`matmul: no product of [${a.shape}] and [${b.shape}]`, 'give [..., m, k] and [..., k, n]');
  const output = tape.alloc(...lead, m, n);
  // One matrix for a whole batch: the batch is more rows.
  const rows = b.count === k * n && a.count === count(lead) * m * k;
  const axes = rows ? [] : lead;
  const shape = { m: rows ? count(lead) * m : m, n, k, batch: count(axes) };
  const [left, right] = [operand(a, axes), operand(b, axes)];
  product(tape, 'nn', shape, left, right, output);
  return tape.push({
    op: 'matmul',
    inputs: [a, b],
    output,
    saved: [],
    vjp: (dy, sink) => {
      const up = { tensor: dy, times: 1, count: shape.batch, each: 1 };
      give(tape, sink, left, shape.m * k, (to) => product(tape, 'nt', { ...shape, n: k, k: n }, up, right, to));
      give(tape, sink, right, k * n, (to) => product(tape, 'tn', { ...shape, m: k, k: shape.m }, left, up, to));
    },
  });
}

/** The batch axes of a product, undefined where the operands' do not fit. */
function batchAxes(a: Tensor, b: Tensor): number[] | undefined {
  const rank = Math.max(a.shape.length, b.shape.length) - 2;
  if (Math.min(a.shape.length, b.shape.length) < 2) return undefined;
  const axes = [padded(a, rank), padded(b, rank)] as const;
  const lead = axes[0].map((size, i) => (size === 1 ? (axes[1][i] as number) : size));
  return axes.every((own) => own.every((size, i) => size === 1 || size === lead[i])) ? lead : undefined;
}

const padded = ({ shape }: Tensor, rank: number) => [
  ...Array<number>(Math.max(0, rank + 2 - shape.length)).fill(1),
  ...shape.slice(0, -2),
];

/** How a batch of these axes shares the matrices of an operand. */
function operand(tensor: Tensor, lead: readonly number[]): Operand {
  if (lead.length === 0) return { tensor, times: 1, count: 1, each: 1 };
  const own = padded(tensor, lead.length);
  const first = own.findIndex((size) => size !== 1);
  const last = own.findLastIndex((size) => size !== 1);
  if (first < 0) return { tensor, times: count(lead), count: 1, each: 1 };
  if (own.some((size, i) => i > first && i < last && size !== lead[i]))
    throw new TensorError(
      `matmul: [${tensor.shape}] in a batch of [${lead}] has axes apart`,
      'repeat it along the axes between',
    );
  const size = (from: number, to: number) => count(lead.slice(from, to));
  return { tensor, times: size(0, first), count: size(first, last + 1), each: size(last + 1, lead.length) };
}

const share = ({ times, count, each }: Operand): MatmulShare | undefined =>
  times * each > 1 ? { ...(each > 1 && { each }), ...(times > 1 && { of: count }) } : undefined;

function product(tape: Tape, layout: MatmulLayout, shape: Shape, a: Operand, b: Operand, out: Tensor): void {
  const [shareA, shareB] = [share(a), share(b)];
  const shared = { ...(shareA && { shareA }), ...(shareB && { shareB }) };
  splitProduct(tape, layout, shape, a.tensor, b.tensor, out, shared);
}

/** The gradient of an operand: a matrix for each of the batch, then sums over those that share one. */
function give(tape: Tape, sink: GradSink, of: Operand, elements: number, write: (to: Tensor) => void): void {
  const { tensor, times, count, each } = of;
  sink.give(tensor, (to) => {
    if (times * each === 1) return write(to);
    const parts = tape.alloc(times * count * each, elements);
    write(parts);
    const neighbours = times > 1 && each > 1 ? tape.alloc(times * count, elements) : undefined;
    if (each > 1) {
      const dims = { rows: times * count * each, cols: elements, chunk_rows: each };
      tape.run(sumCols.prepare(tape.workspace.device, {}, dims), { x: parts, out: neighbours ?? to }, dims);
    }
    if (times > 1) columnSums(tape, neighbours ?? parts, times, count * elements, to);
    if (neighbours) tape.release(neighbours);
    tape.release(parts);
  });
}
