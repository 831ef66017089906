import {
  chooseMatmul,
  gluTile,
  type MatmulLayout,
  type MatmulOptions,
  type MatmulTile,
  matmul,
  sumsOnTheWay,
} from '../../kernels/matmul.ts';
import {
  chooseMatrixMatmul,
  type MatrixMatmulTile,
  matrixGluTile,
  matrixMatmul,
  matrixSumsOnTheWay,
  type Precision,
} from '../../kernels/matmul_matrix.ts';
import { chooseChunk, sumCols } from '../../kernels/reduce.ts';
import { rowsAndCols, storedAs, type Tensor } from '../../tensor/index.ts';
import type { GradSink, Tape } from '../tape.ts';
import { rangesOf } from './ranges.ts';

/** A product's sizes. */
export interface ProductShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batch?: number;
}

/** The buffers of a product but its result. */
interface Operands {
  a: Tensor;
  b: Tensor;
  bias?: Tensor | undefined;
  gate?: Tensor | undefined;
  residual?: Tensor | undefined;
  pre?: Tensor | undefined;
  sums?: Tensor | undefined;
}

/** Dims of the fused parts. */
interface Epilogue {
  gate_rows?: number;
  gate_stride?: number;
  gate_offset?: number;
  residual_rows?: number | undefined;
}

/** In what two operands are multiplied: in f16 where one is stored so, else as the tape says of f32. */
function precisionOf(tape: Tape, a: Tensor, b: Tensor): Precision {
  if (a.dtype === 'f16' || b.dtype === 'f16') return 'f16';
  return tape.precision === 'f32x3' ? 'f32x3' : 'f32';
}

const dtypesOf = (a: Tensor, b: Tensor, out: Tensor) => ({
  dtype: storedAs(a),
  bDtype: storedAs(b),
  outDtype: storedAs(out),
});

const choose = (tape: Tape, shape: ProductShape & { split?: boolean }, precision: Precision) =>
  precision === 'f32'
    ? chooseMatmul(shape, tape.workspace.caps)
    : chooseMatrixMatmul(shape, precision, tape.workspace.caps);

/** One product with its epilogue, in one pass over k. */
export function product(
  tape: Tape,
  layout: MatmulLayout,
  shape: ProductShape,
  fused: Partial<MatmulOptions>,
  operands: Operands,
  out: Tensor,
  epilogue: Epilogue = {},
): void {
  const { device } = tape.workspace;
  const dims = { ...shape, ...epilogue };
  const precision = precisionOf(tape, operands.a, operands.b);
  if (precision === 'f32') {
    const stored = out.dtype === 'f16' ? dtypesOf(operands.a, operands.b, out) : {};
    tape.run(matmul.prepare(device, { layout, ...fused, ...stored }, shape), { ...operands, out }, dims);
    return;
  }
  const { splits: _, kChunk: __, ...tile } = choose(tape, { ...shape, split: false }, precision);
  matrixProduct(tape, { layout, ...fused }, tile, operands, out, dims);
}

/** Runs the kernel of a tile, and what it needs to know of its operands first. */
function matrixProduct(
  tape: Tape,
  options: Partial<MatmulOptions> & { layout: MatmulLayout },
  tile: MatrixMatmulTile,
  operands: Operands,
  out: Tensor,
  dims: ProductShape & Epilogue & { k_chunk?: number },
): void {
  const { tile: _, ...rest } = options;
  const kernel = matrixMatmul.prepare(tape.workspace.device, {
    ...rest,
    ...dtypesOf(operands.a, operands.b, out),
    tile,
  });
  if (tile.kind !== 'f32x3') {
    tape.run(kernel, { ...operands, out }, dims);
    return;
  }
  const { ranges, ...places } = rangesOf(tape, operands.a, operands.b);
  tape.run(kernel, { ...operands, ranges, out }, { ...dims, ...places });
}

/** Runs a product of [x1 | x2] that stores silu(x1) * x2: out [m, n / 2]. */
type GatedProduct = (fused: Pick<MatmulOptions, 'bias' | 'pre'>, operands: Operands, out: Tensor) => void;

/** The product of x, in one kernel with its gate, where the device has a tile for it in the precision of x. */
export function gatedProduct(tape: Tape, shape: ProductShape, x: Tensor): GatedProduct | undefined {
  const { device, caps } = tape.workspace;
  const precision = precisionOf(tape, x, x);
  const how = { layout: 'nt', glu: true } as const;
  if (precision === 'f16') {
    const tile = matrixGluTile(shape, caps);
    return tile && ((fused, operands, out) => matrixProduct(tape, { ...how, ...fused }, tile, operands, out, shape));
  }
  const tile = precision === 'f32' ? gluTile(shape, caps) : undefined;
  return (
    tile &&
    ((fused, operands, out) =>
      tape.run(matmul.prepare(device, { ...how, ...fused, tile }), { ...operands, out }, { ...shape }))
  );
}

/** What a split product does besides. */
export interface SplitOptions extends Pick<MatmulOptions, 'shareA' | 'shareB'> {
  /** As out: what the product is added to. */
  prior?: Tensor | undefined;
}

/** A product alone: partial sums over slices of k where one pass would leave the device idle, as where k is the rows of a batch. */
export function splitProduct(
  tape: Tape,
  layout: MatmulLayout,
  shape: ProductShape,
  a: Tensor,
  b: Tensor,
  out: Tensor,
  { prior, ...shared }: SplitOptions = {},
): void {
  const { m, n, batch = 1 } = shape;
  const cut = cutProduct(tape, shape, a, b);
  if (cut.splits === 1) {
    partProduct(tape, cut, { layout, ...shared }, shape, { a, b, residual: prior }, out);
    return;
  }
  const parts = tape.alloc(cut.splits, batch * m * n);
  partProduct(tape, cut, { layout, ...shared }, shape, { a, b }, parts);
  const all = { rows: cut.splits, cols: batch * m * n, chunk_rows: cut.splits };
  const added = { prior: prior !== undefined, outDtype: storedAs(out) };
  tape.run(sumCols.prepare(tape.workspace.device, added, all), { x: parts, out, prior }, all);
  tape.release(parts);
}

/** How a product is cut, and by what kernel it is made. */
interface Cut {
  readonly precision: Precision;
  readonly splits: number;
  readonly kChunk: number;
  readonly tile: MatmulTile | MatrixMatmulTile;
}

function cutProduct(tape: Tape, shape: ProductShape, a: Tensor, b: Tensor): Cut {
  const precision = precisionOf(tape, a, b);
  const { splits, kChunk, ...tile } = choose(tape, shape, precision);
  return { precision, splits, kChunk, tile };
}

/** The parts of a product, [splits, batch, m, n]; with `sums` also those of the sums of op(A)'s rows, [splits, m]. */
function partProduct(
  tape: Tape,
  { precision, kChunk, tile }: Cut,
  how: Pick<MatmulOptions, 'layout' | 'shareA' | 'shareB'>,
  shape: ProductShape,
  operands: Operands,
  out: Tensor,
  sums?: Tensor,
): void {
  const { a, b, residual } = operands;
  const options = { ...how, residual: residual !== undefined, ...(sums && { sums: true }) };
  const dims = { ...shape, k_chunk: kChunk, ...(residual && { residual_rows: shape.m }) };
  if (precision !== 'f32') {
    matrixProduct(tape, options, tile as MatrixMatmulTile, { ...operands, ...(sums && { sums }) }, out, dims);
    return;
  }
  const stored = out.dtype === 'f16' ? dtypesOf(a, b, out) : {};
  const plain = { ...options, ...stored, tile: tile as MatmulTile };
  tape.run(matmul.prepare(tape.workspace.device, plain), { a, b, out, residual, ...(sums && { sums }) }, dims);
}

/**
 * The gradients of a linear layer's weight [out, in] and bias [out]: dy^T x of dy [rows, out] and x [rows, in], cut into parts over the
 * rows where that fills the device, and the column sums of dy, which a small tile or product of f32, or a tile of subgroup matrices, takes
 * on the way.
 */
export function weightGradients(
  tape: Tape,
  sink: GradSink,
  dy: Tensor,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
): void {
  const shape = weightShape(x, weight);
  const { k: rows } = shape;
  const summed = bias && sink.needs(bias) ? bias : undefined;
  if (!sink.needs(weight)) {
    if (summed) giveColumnSums(tape, sink, summed, dy, rows, shape.m);
    return;
  }
  const cut = cutProduct(tape, shape, dy, x);
  const onTheWay = takesSums(cut, shape, dy) ? summed : undefined;
  const run = (dw: Tensor, db?: Tensor) =>
    partProduct(tape, cut, { layout: 'tn' }, shape, { a: dy, b: x }, dw, onTheWay && db);
  if (cut.splits === 1) sink.give(weight, (dw) => (onTheWay ? sink.give(onTheWay, (db) => run(dw, db)) : run(dw)));
  else {
    const inputs = onTheWay ? [weight, onTheWay] : [weight];
    sink.giveSums(
      inputs.map((input) => ({ input, parts: cut.splits })),
      ([dw, db]) => run(dw as Tensor, db),
    );
  }
  if (summed && !onTheWay) giveColumnSums(tape, sink, summed, dy, rows, shape.m);
}

/**
 * Whether `weightGradients` of these would sum the columns of dy for the bias in a pass of its own: then a kernel that makes dy had
 * better do it.
 */
export function sumsApart(tape: Tape, sink: GradSink, dy: Tensor, x: Tensor, weight: Tensor, bias: Tensor): boolean {
  if (!sink.needs(bias)) return false;
  if (!sink.needs(weight)) return true;
  const shape = weightShape(x, weight);
  return !takesSums(cutProduct(tape, shape, dy, x), shape, dy);
}

/** The product that is the gradient of a weight [out, in], of x [rows, in]. */
function weightShape(x: Tensor, weight: Tensor): ProductShape {
  const { rows, cols } = rowsAndCols(x);
  return { m: weight.shape[0] as number, n: cols, k: rows };
}

/** Whether the kernel of a product a^T b sums the columns of a on the way. */
const takesSums = ({ precision, tile }: Cut, shape: ProductShape, a: Tensor): boolean =>
  precision === 'f32' ? sumsOnTheWay(tile as MatmulTile, shape) : matrixSumsOnTheWay(tile, shape, storedAs(a));

/** Column sums of [rows, cols] into out [cols], in two passes where one would leave the device idle. */
export function columnSums(tape: Tape, x: Tensor, rows: number, cols: number, out: Tensor): void {
  const chunk = chunkOfSums(tape, x, rows, cols);
  if (chunk === rows) {
    sumChunks(tape, x, rows, cols, chunk, out);
    return;
  }
  const partial = tape.alloc(Math.ceil(rows / chunk), cols);
  sumChunks(tape, x, rows, cols, chunk, partial);
  sumChunks(tape, partial, Math.ceil(rows / chunk), cols, Math.ceil(rows / chunk), out);
  tape.release(partial);
}

/** The input's gradient is the column sums of [rows, cols]. */
export function giveColumnSums(tape: Tape, sink: GradSink, input: Tensor, x: Tensor, rows: number, cols: number): void {
  giveChunks(tape, sink, input, x, rows, cols, (sums, chunk) => sumChunks(tape, x, rows, cols, chunk, sums));
}

/** The input's gradient is the sums over chunks of rows that `write` makes, [chunks, cols], as many as keep the device busy over x. */
export function giveChunks(
  tape: Tape,
  sink: GradSink,
  input: Tensor,
  x: Tensor,
  rows: number,
  cols: number,
  write: (sums: Tensor, chunk: number) => void,
): void {
  const chunk = chunkOfSums(tape, x, rows, cols);
  if (chunk === rows) sink.give(input, (sums) => write(sums, chunk));
  else if (sink.needs(input))
    sink.giveSums([{ input, parts: Math.ceil(rows / chunk) }], ([sums]) => write(sums as Tensor, chunk));
}

/** Rows a chunk of column sums; all where one pass is enough. */
function chunkOfSums({ workspace: { caps } }: Tape, x: Tensor, rows: number, cols: number): number {
  return caps.software ? rows : Math.min(rows, chooseChunk(rows, cols, caps, storedAs(x)));
}

function sumChunks(tape: Tape, x: Tensor, rows: number, cols: number, chunk_rows: number, out: Tensor): void {
  const kernel = sumCols.prepare(tape.workspace.device, { dtype: storedAs(x), outDtype: storedAs(out) }, { cols });
  tape.run(kernel, { x, out }, { rows, cols, chunk_rows });
}
