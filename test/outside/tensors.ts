/** What the cases need of shapes and arithmetic, each a few of our kernels with a backward of our kernels. */
import { concat as concatColumns } from '../../src/autograd/ops/concat.ts';
import { embedding } from '../../src/autograd/ops/embedding.ts';
import { patchify } from '../../src/autograd/ops/patch.ts';
import { addPerSample, gatedResidual, add as plainAdd } from '../../src/autograd/ops/residual.ts';
import type { GradSink, Tape } from '../../src/autograd/tape.ts';
import { copyColumns } from '../../src/kernels/columns.ts';
import { lincomb } from '../../src/kernels/lincomb.ts';
import { sumCols, sumRows } from '../../src/kernels/reduce.ts';
import { resizeRows } from '../../src/kernels/resize.ts';
import type { Tensor } from '../../src/tensor/index.ts';
import { need, product } from './case.ts';

/** A step tensor with these numbers. */
export function tensor(tape: Tape, shape: readonly number[], data: ArrayLike<number>): Tensor {
  const made = tape.alloc(...shape);
  if (made.count > 0) tape.workspace.stream.write(made, Float32Array.from(data));
  return made;
}

export const filled = (tape: Tape, shape: readonly number[], value: number): Tensor =>
  tensor(tape, shape, new Float32Array(product(shape)).fill(value));

function indices(tape: Tape, values: readonly number[]): Tensor {
  const made = tape.alloc(values.length);
  if (values.length > 0) tape.workspace.stream.write(made, Uint32Array.from(values));
  return made;
}

/** Sizes before an axis, of it, and after it. */
function around(shape: readonly number[], axis: number): [outer: number, size: number, inner: number] {
  return [product(shape.slice(0, axis)), shape[axis] as number, product(shape.slice(axis + 1))];
}

const withSize = (shape: readonly number[], axis: number, size: number) => shape.map((s, i) => (i === axis ? size : s));

/** One op of a single input, whose backward is a function of the output's gradient. */
function unary(tape: Tape, op: string, x: Tensor, output: Tensor, backward: (dy: Tensor) => Tensor): Tensor {
  const vjp = (dy: Tensor, sink: GradSink) => {
    if (sink.needs(x)) sink.pass(x, backward(dy));
  };
  return tape.push({ op, inputs: [x], output, saved: [], vjp });
}

/** Axes in another order: any order is a few exchanges of two trailing groups of axes, which patches of one pixel make. */
export function permute(tape: Tape, x: Tensor, order: readonly number[]): Tensor {
  const names = x.shape.map((_, i) => i);
  need(order.length === names.length && names.every((i) => order.includes(i)), `order [${order}] of [${x.shape}]`);
  let y = x;
  for (const [at, axis] of order.entries()) {
    const from = names.indexOf(axis);
    const [batch, channels, length] = [at, from, names.length].map((end, i, ends) =>
      product(names.slice(i === 0 ? 0 : ends[i - 1], end).map((n) => x.shape[n] as number)),
    ) as [number, number, number];
    names.splice(at, names.length, ...names.slice(from), ...names.slice(at, from));
    const moved = names.map((n) => x.shape[n] as number);
    const moves = channels > 1 && length > 1 && batch > 0;
    y = moves ? patchify(tape, y.view(batch, channels, length, 1), 1, 'chw').view(...moved) : y.view(...moved);
  }
  return y;
}

/** Elements first .. first + count - 1 along an axis. */
export function slice(tape: Tape, x: Tensor, axis: number, first: number, count: number): Tensor {
  const [outer, size, inner] = around(x.shape, axis);
  if (first === 0 && count === size) return x;
  const out = tape.alloc(...withSize(x.shape, axis, count));
  const [wide, narrow] = [
    { stride: size * inner, offset: first * inner },
    { stride: count * inner, offset: 0 },
  ];
  copy(tape, x, out, outer, count * inner, wide, narrow);
  return unary(tape, 'slice', x, out, (dy) => {
    const dx = zeros(tape, x.shape);
    copy(tape, dy, dx, outer, count * inner, narrow, wide);
    return dx;
  });
}

/** Zeros before and after along an axis. */
export function pad(tape: Tape, x: Tensor, axis: number, before: number, after: number): Tensor {
  if (before === 0 && after === 0) return x;
  const [outer, size, inner] = around(x.shape, axis);
  const out = zeros(tape, withSize(x.shape, axis, before + size + after));
  const [narrow, wide] = [
    { stride: size * inner, offset: 0 },
    { stride: (before + size + after) * inner, offset: before * inner },
  ];
  copy(tape, x, out, outer, size * inner, narrow, wide);
  return unary(tape, 'pad', x, out, (dy) => {
    const dx = tape.alloc(...x.shape);
    copy(tape, dy, dx, outer, size * inner, wide, narrow);
    return dx;
  });
}

interface Columns {
  stride: number;
  offset: number;
}

function copy(tape: Tape, source: Tensor, out: Tensor, rows: number, cols: number, from: Columns, to: Columns): void {
  const dims = { from_stride: from.stride, from_offset: from.offset, to_stride: to.stride, to_offset: to.offset };
  tape.run(copyColumns.prepare(tape.workspace.device), { source, out }, { rows, cols, ...dims });
}

function zeros(tape: Tape, shape: readonly number[]): Tensor {
  const out = tape.alloc(...shape);
  tape.workspace.stream.clear(out);
  return out;
}

/** Zeros between the elements along an axis: `step` apart. */
export function spread(tape: Tape, x: Tensor, axis: number, step: number): Tensor {
  if (step === 1) return x;
  const [outer, size, inner] = around(x.shape, axis);
  const resize = (from: Tensor, cols_in: number, cols_out: number) => {
    const out = tape.alloc(outer * size, cols_out);
    const dims = { rows: outer * size, cols_in, cols_out };
    tape.run(resizeRows.prepare(tape.workspace.device), { x: from, out }, dims);
    return out;
  };
  const wide = resize(x, inner, inner * step);
  const y = unary(tape, 'spread', x, wide, (dy) => resize(dy, inner * step, inner));
  return slice(tape, y.view(...withSize(x.shape, axis, size * step)), axis, 0, (size - 1) * step + 1);
}

/** Elements by index along an axis; an index may come several times. */
export function take(tape: Tape, x: Tensor, axis: number, index: readonly number[]): Tensor {
  const [outer, size, inner] = around(x.shape, axis);
  const wrong = index.find((i) => !(i >= 0 && i < size));
  need(wrong === undefined, `index ${wrong} of ${size}`);
  const rows = Array.from({ length: outer }, (_, o) => index.map((i) => o * size + i)).flat();
  const y = embedding(tape, x.view(outer * size, inner), indices(tape, rows));
  return y.view(...withSize(x.shape, axis, index.length));
}

/** Repeats along axes of size 1, and along new axes in front, up to `shape`. */
export function expand(tape: Tape, x: Tensor, shape: readonly number[]): Tensor {
  need(x.shape.length <= shape.length, `broadcasting of [${x.shape}] to [${shape}]`);
  let y = x.view(...Array(shape.length - x.shape.length).fill(1), ...x.shape);
  shape.forEach((size, axis) => {
    const own = y.shape[axis] as number;
    need(own === size || own === 1, `broadcasting of [${x.shape}] to [${shape}]`);
    if (own !== size) y = take(tape, y, axis, Array(size).fill(0));
  });
  return y;
}

/** The shape that tensors of these shapes share. */
export function broadcast(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = shapes.map((s) => s[i - rank + s.length] ?? 1);
    const size = sizes.find((s) => s !== 1) ?? 1;
    need(
      sizes.every((s) => s === 1 || s === size),
      `broadcasting of ${shapes.map((s) => `[${s}]`).join(' and ')}`,
    );
    return size;
  });
}

/** The row that is the same for every row of `shape`, where x is one. */
function asRow(x: Tensor, shape: readonly number[]): { row: Tensor; rows: number; cols: number } | undefined {
  const own = [...x.shape];
  while (own[0] === 1) own.shift();
  const suffix = shape.slice(shape.length - own.length);
  if (own.length === 0 || own.length >= shape.length || own.some((s, i) => s !== suffix[i])) return undefined;
  const cols = product(own);
  return { row: x.view(1, cols), rows: product(shape) / cols, cols };
}

/** The larger of two operands first, both broadcast where a kernel does not do it. */
function operands(tape: Tape, a: Tensor, b: Tensor) {
  const shape = broadcast(a.shape, b.shape);
  const [large, small] = a.count >= b.count ? [a, b] : [b, a];
  const row = product(shape) === large.count && large.count > 0 ? asRow(small, shape) : undefined;
  return { shape, large: row ? large : expand(tape, large, shape), small, row };
}

export function add(tape: Tape, a: Tensor, b: Tensor): Tensor {
  const { shape, large, small, row } = operands(tape, a, b);
  if (!row) return plainAdd(tape, large, expand(tape, small, shape)).view(...shape);
  return addPerSample(tape, large.view(1, row.rows, row.cols), row.row).view(...shape);
}

/** A product, elementwise: a gated residual of zeros. */
export function mul(tape: Tape, a: Tensor, b: Tensor): Tensor {
  const { shape, large, small, row } = operands(tape, a, b);
  const cols = row?.cols ?? shape.at(-1) ?? 1;
  const rows = cols === 0 ? 0 : product(shape) / cols;
  const from = row ? row.row : expand(tape, small, shape).view(rows, cols);
  const gate = { from, offset: 0, rows: row ? Math.max(1, rows) : 1 };
  return gatedResidual(tape, zeros(tape, [rows, cols]), large.view(rows, cols), gate).view(...shape);
}

/** A sum of tensors of one shape, each times a constant. */
export function combine(tape: Tape, terms: readonly (readonly [Tensor, number])[]): Tensor {
  const [[first]] = terms as readonly [readonly [Tensor, number]];
  if (terms.length > 4) return combine(tape, [[combine(tape, terms.slice(0, 4)), 1], ...terms.slice(4)]);
  const inputs = terms.length as 1 | 2 | 3 | 4;
  const coefs = tensor(
    tape,
    [inputs],
    terms.map(([, c]) => c),
  );
  const out = tape.alloc(...first.shape);
  const kernel = lincomb.prepare(tape.workspace.device, { inputs });
  const offsets = { offset0: 0, offset1: 0, offset2: 0, offset3: 0, out_offset: 0, coef_stride: 0, coef_offset: 0 };
  const [u0, u1, u2, u3] = terms.map(([t]) => t);
  tape.run(kernel, { u0, u1, u2, u3, coefs, out } as never, { batch: 1, n: first.count, ...offsets });
  const vjp = (dy: Tensor, sink: GradSink) => {
    for (const [t, c] of terms) if (sink.needs(t)) sink.pass(t, c === 1 ? dy : combine(tape, [[dy, c]]));
  };
  return tape.push({ op: 'combine', inputs: terms.map(([t]) => t), output: out, saved: [], vjp });
}

export const scale = (tape: Tape, x: Tensor, factor: number): Tensor => combine(tape, [[x, factor]]);

/** Sum or mean over axes, which stay with size 1. */
export function reduce(tape: Tape, x: Tensor, axes: readonly number[], kind: 'sum' | 'mean'): Tensor {
  const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const shape = x.shape.map((s, i) => (axes.includes(i) ? 1 : s));
  const size = (of: readonly number[]) => product(of.map((i) => x.shape[i] as number));
  const [rows, cols] = [size(kept), size(axes)];
  const leading = axes.length > 0 && kept.length > 0 && axes.every((axis) => kept.every((k) => axis < k));
  if (leading && kind === 'sum') {
    const out = tape.alloc(...shape);
    const dims = { rows: cols, cols: rows, chunk_rows: Math.max(1, cols) };
    tape.run(sumCols.prepare(tape.workspace.device, {}), { x, out }, dims);
    return unary(tape, 'sum', x, out, (dy) => expand(tape, dy, x.shape));
  }
  const lined = permute(tape, x, [...kept, ...axes]);
  const out = tape.alloc(rows);
  tape.run(sumRows.prepare(tape.workspace.device, { mean: kind === 'mean' }), { x: lined, out }, { rows, cols });
  const each = unary(tape, kind, lined, out, (dy) => {
    const spreadOut = expand(tape, dy.view(rows, 1), [rows, cols]);
    return kind === 'mean' ? scale(tape, spreadOut, 1 / cols) : spreadOut;
  });
  return each.view(...shape);
}

/** Tensors one after the other along an axis. */
export function concat(tape: Tape, parts: readonly Tensor[], axis: number): Tensor {
  const [first] = parts as readonly [Tensor];
  const like = (t: Tensor) => withSize(t.shape, axis, 0).join() === withSize(first.shape, axis, 0).join();
  need(parts.every(like), `concatenation of ${parts.map((t) => `[${t.shape}]`).join(' and ')}`);
  const outer = product(first.shape.slice(0, axis));
  const whole = concatColumns(
    tape,
    parts.map((part) => part.view(outer, part.count / outer)),
  );
  return whole.view(
    ...withSize(
      first.shape,
      axis,
      parts.reduce((sum, p) => sum + (p.shape[axis] as number), 0),
    ),
  );
}
