import {
  chooseMatmul,
  gluTile,
  type MatmulLayout,
  type MatmulOptions,
  matmul,
  sumsOnTheWay,
} from '../../kernels/matmul.ts';
import {
  chooseMatrixMatmul,
  type MatrixMatmulTile,
  matrixGluTile,
  matrixMatmul,
  type Precision,
} from '../../kernels/matmul_matrix.ts';
import { chooseChunk, sumCols } from '../../kernels/reduce.ts';
import { storedAs, type Tensor } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';
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
  /** [m]: the sums of the rows of op(A), which are the columns of a [k, m]; a small tile of f32 takes them on the way. */
  sums?: Tensor | undefined;
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
  { sums, prior, ...shared }: SplitOptions = {},
): void {
  const { device } = tape.workspace;
  const { m, n, k, batch = 1 } = shape;
  const precision = precisionOf(tape, a, b);
  const { splits, kChunk, ...tile } = choose(tape, shape, precision);
  const whole = splits === 1;
  const onTheWay = sums !== undefined && precision === 'f32' && sumsOnTheWay(tile as MatmulOptions['tile']);
  const residual = whole ? prior : undefined;
  const parts = whole ? out : tape.alloc(splits, batch * m * n);
  // Beside a product that does not sum them, columns are cut into as many chunks as keep the device busy, more than there are splits.
  const sumChunk = onTheWay ? kChunk : chooseChunk(k, m, tape.workspace.caps, storedAs(a));
  const sumRows = Math.ceil(k / sumChunk);
  const partSums = whole || !sums ? sums : tape.alloc(sumRows, m);
  const options = { layout, ...shared, residual: residual !== undefined };
  const dims = { m, n, k, batch, k_chunk: kChunk, ...(residual && { residual_rows: m }) };
  if (precision === 'f32') {
    const stored = parts.dtype === 'f16' ? dtypesOf(a, b, parts) : {};
    const plain = { ...options, ...(onTheWay && { sums: true }), ...stored };
    const kernel = matmul.prepare(device, { ...plain, tile: tile as NonNullable<MatmulOptions['tile']> });
    const buffers = { a, b, out: parts, residual, ...(onTheWay && { sums: partSums }) };
    tape.run(kernel, buffers, dims);
  } else matrixProduct(tape, options, tile, { a, b, residual }, parts, dims);
  if (whole) {
    if (sums && !onTheWay) columnSums(tape, a, k, m, sums);
    return;
  }
  if (partSums && !onTheWay) {
    const of = { rows: k, cols: m, chunk_rows: sumChunk };
    tape.run(sumCols.prepare(device, { dtype: storedAs(a) }, of), { x: a, out: partSums }, of);
  }
  const all = {
    rows: splits,
    cols: batch * m * n,
    chunk_rows: splits,
    ...(partSums && { tail_cols: m, tail_rows: sumRows }),
  };
  const added = { tail: partSums !== undefined, prior: prior !== undefined, outDtype: storedAs(out) };
  const tails = partSums ? { tail: partSums, tail_out: sums } : {};
  tape.run(sumCols.prepare(device, added, all), { x: parts, out, prior, ...tails }, all);
  tape.release(parts);
  if (partSums) tape.release(partSums);
}

/** Column sums of [rows, cols] into out [cols], in two passes where one would leave the device idle. */
export function columnSums(tape: Tape, x: Tensor, rows: number, cols: number, out: Tensor): void {
  const { caps, device } = tape.workspace;
  const [dtype, outDtype] = [storedAs(x), storedAs(out)];
  const chunk = caps.software ? rows : chooseChunk(rows, cols, caps, dtype);
  const chunks = Math.ceil(rows / chunk);
  if (chunks === 1) {
    const kernel = sumCols.prepare(device, { dtype, outDtype }, { cols });
    tape.run(kernel, { x, out }, { rows, cols, chunk_rows: rows });
    return;
  }
  const partial = tape.alloc(chunks, cols);
  const first = sumCols.prepare(device, { dtype }, { cols });
  tape.run(first, { x, out: partial }, { rows, cols, chunk_rows: chunk });
  const second = sumCols.prepare(device, { outDtype }, { cols });
  tape.run(second, { x: partial, out }, { rows: chunks, cols, chunk_rows: chunks });
  tape.release(partial);
}
