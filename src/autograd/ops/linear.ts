import { activationBackward } from '../../kernels/activation.ts';
import { chooseMatmul, type MatmulLayout, type MatmulOptions, matmul } from '../../kernels/matmul.ts';
import { chooseChunk, sumCols } from '../../kernels/reduce.ts';
import { rowsAndCols, type Tensor, TensorError } from '../../tensor/index.ts';
import type { GradSink, Tape } from '../tape.ts';
import { gateBackward } from './gate.ts';

/** Which columns of a modulation tensor [B, stride] an op reads: chunk `chunk` of width cols; each row serves `rows` rows. */
export interface ModulationChunk {
  /** [..., stride] f32: a row a sample, or a row a token. */
  readonly from: Tensor;
  /** First column. */
  readonly offset: number;
  /** Consecutive rows of the modulated tensor that share a row: N tokens, or 1 per token. */
  readonly rows: number;
}

/** What is fused into a linear layer. */
export interface LinearOptions {
  act?: NonNullable<MatmulOptions['act']>;
  /** A constant table [P, out] added to row r as row r % P: position embeddings. */
  table?: Tensor;
}

/** `act(x W^T + b)` (+ table): x [..., in], weight [out, in], bias [out] -> [..., out]. The activation is fused. */
export function linear(tape: Tape, x: Tensor, weight: Tensor, bias?: Tensor, options: LinearOptions = {}): Tensor {
  const { rows, cols } = rowsAndCols(x);
  const out = weight.shape[0] as number;
  checkLinear(x, weight, bias, cols, out);
  const act = options.act ?? 'none';
  const { table } = options;
  const y = tape.alloc(...x.shape.slice(0, -1), out);
  const pre = act !== 'none' && tape.recording ? tape.alloc(rows, out) : undefined;
  const shape = { m: rows, n: out, k: cols };
  const fused = { act, bias: bias !== undefined, residual: table !== undefined, pre: pre !== undefined };
  product(tape, 'nt', shape, fused, { a: x, b: weight, bias, residual: table, pre }, y, {
    residual_rows: table?.shape[0],
  });
  const inputs = bias ? [x, weight, bias] : [x, weight];
  return tape.push({
    op: 'linear',
    inputs,
    output: y,
    saved: pre ? [pre] : [],
    vjp: (dy, sink) => {
      if (act === 'none' || !pre) {
        linearBackward(tape, sink, dy, x, weight, bias);
        return;
      }
      const dpre = tape.alloc(rows, out);
      tape.run(
        activationBackward.prepare(tape.workspace.device, { act }),
        { x: pre, dy, dx: dpre },
        { count: dpre.count },
      );
      linearBackward(tape, sink, dpre, x, weight, bias);
      tape.release(dpre);
    },
  });
}

/** `residual + gate * (x W^T + b)` in one kernel: the last product of an adaLN branch. gate is a modulation chunk. */
export function linearGatedResidual(
  tape: Tape,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  residual: Tensor,
  gate: ModulationChunk,
): Tensor {
  const { rows, cols } = rowsAndCols(x);
  const out = weight.shape[0] as number;
  checkLinear(x, weight, bias, cols, out);
  const y = tape.alloc(...residual.shape);
  const h = tape.recording ? tape.alloc(rows, out) : undefined;
  const gate_stride = gate.from.shape.at(-1) as number;
  const fused = { act: 'none' as const, bias: bias !== undefined, gate: true, residual: true, pre: h !== undefined };
  product(
    tape,
    'nt',
    { m: rows, n: out, k: cols },
    fused,
    { a: x, b: weight, bias, gate: gate.from, residual, pre: h },
    y,
    {
      gate_rows: gate.rows,
      gate_stride,
      gate_offset: gate.offset,
      residual_rows: rows,
    },
  );
  const dims = { rows, cols: out, mod_rows: gate.rows, mod_stride: gate_stride, gate_offset: gate.offset };
  return tape.push({
    op: 'linearGatedResidual',
    inputs: [x, weight, ...(bias ? [bias] : []), residual, gate.from],
    output: y,
    saved: h ? [h] : [],
    vjp: (dy, sink) => {
      sink.pass(residual, dy);
      const dh = tape.alloc(rows, out);
      gateBackward(tape, sink, dy, h as Tensor, gate.from, dh, dims);
      linearBackward(tape, sink, dh, x, weight, bias);
      tape.release(dh);
    },
  });
}

/** dx = dy W, dW = dy^T x (split over the rows where that fills the device), db = column sums of dy. */
function linearBackward(
  tape: Tape,
  sink: GradSink,
  dy: Tensor,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
): void {
  const { rows, cols } = rowsAndCols(x);
  const out = weight.shape[0] as number;
  inputGradient(tape, sink, dy, x, weight);
  const shape = { m: out, n: cols, k: rows };
  if (bias && sink.needs(weight) && sink.needs(bias)) {
    sink.give(weight, (dw) =>
      sink.give(bias, (db) => splitProduct(tape, 'tn', shape, dy, x, dw, {}, { of: dy, out: db })),
    );
    return;
  }
  sink.give(weight, (dw) => splitProduct(tape, 'tn', shape, dy, x, dw));
  if (bias) sink.give(bias, (db) => columnSums(tape, dy, rows, out, db));
}

/** dx = dy W, added by the product to a gradient that came before, but where its sum is cut in parts. */
function inputGradient(tape: Tape, sink: GradSink, dy: Tensor, x: Tensor, weight: Tensor): void {
  const { rows, cols } = rowsAndCols(x);
  const shape = { m: rows, n: cols, k: weight.shape[0] as number };
  if (chooseMatmul(shape, tape.workspace.caps).splits > 1) {
    sink.give(x, (dx) => splitProduct(tape, 'nn', shape, dy, weight, dx));
    return;
  }
  const write = (dx: Tensor, prior?: Tensor) =>
    prior
      ? product(tape, 'nn', shape, { residual: true }, { a: dy, b: weight, residual: prior }, dx, {
          residual_rows: rows,
        })
      : product(tape, 'nn', shape, {}, { a: dy, b: weight }, dx);
  sink.give(x, write, 'fused');
}

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

/** One product with its epilogue, in one pass over k. */
function product(
  tape: Tape,
  layout: MatmulLayout,
  shape: { m: number; n: number; k: number },
  fused: Partial<MatmulOptions>,
  operands: Operands,
  out: Tensor,
  epilogue: Epilogue = {},
): void {
  const kernel = matmul.prepare(tape.workspace.device, { layout, ...fused }, shape);
  tape.run(kernel, { ...operands, out }, { ...shape, ...epilogue });
}

/**
 * A product alone: partial sums over slices of k where one pass would leave the device idle, as where k is the rows of a batch. `sums`:
 * also those of the columns of a tensor [k, cols], whose parts are added up with the product's.
 */
export function splitProduct(
  tape: Tape,
  layout: MatmulLayout,
  shape: { m: number; n: number; k: number; batch?: number },
  a: Tensor,
  b: Tensor,
  out: Tensor,
  shared: Pick<MatmulOptions, 'shareA' | 'shareB'> = {},
  sums?: { readonly of: Tensor; readonly out: Tensor },
): void {
  const { device, caps } = tape.workspace;
  const { m, n, k, batch = 1 } = shape;
  const { splits, kChunk, ...tile } = chooseMatmul(shape, caps);
  const kernel = matmul.prepare(device, { layout, tile, ...shared });
  if (splits === 1) {
    tape.run(kernel, { a, b, out }, { m, n, k, batch, k_chunk: k });
    if (sums) columnSums(tape, sums.of, k, sums.out.count, sums.out);
    return;
  }
  const x = tape.alloc(splits, batch * m * n);
  tape.run(kernel, { a, b, out: x }, { m, n, k, batch, k_chunk: kChunk });
  const dims = { rows: splits, cols: batch * m * n, chunk_rows: splits };
  if (!sums) tape.run(sumCols.prepare(device, {}, dims), { x, out }, dims);
  else {
    const of = { rows: k, cols: sums.out.count, chunk_rows: kChunk };
    const tail = tape.alloc(splits, of.cols);
    tape.run(sumCols.prepare(device, {}, of), { x: sums.of, out: tail }, of);
    const both = { ...dims, tail_cols: of.cols };
    tape.run(sumCols.prepare(device, { tail: true }, both), { x, out, tail, tail_out: sums.out }, both);
    tape.release(tail);
  }
  tape.release(x);
}

/** Column sums of [rows, cols] into out [cols], in two passes where one would leave the device idle. */
export function columnSums(tape: Tape, x: Tensor, rows: number, cols: number, out: Tensor): void {
  const kernel = sumCols.prepare(tape.workspace.device, {}, { cols });
  const { caps } = tape.workspace;
  const chunk = caps.software ? rows : chooseChunk(rows, cols, caps);
  const chunks = Math.ceil(rows / chunk);
  if (chunks === 1) {
    tape.run(kernel, { x, out }, { rows, cols, chunk_rows: rows });
    return;
  }
  const partial = tape.alloc(chunks, cols);
  tape.run(kernel, { x, out: partial }, { rows, cols, chunk_rows: chunk });
  tape.run(kernel, { x: partial, out }, { rows: chunks, cols, chunk_rows: chunks });
  tape.release(partial);
}

function checkLinear(x: Tensor, weight: Tensor, bias: Tensor | undefined, cols: number, out: number): void {
  if (weight.shape.length < 2 || weight.count !== out * cols) {
    throw new TensorError(
      `linear: x [${x.shape}] needs a weight [out, ${cols}], got [${weight.shape}]`,
      'give a weight of as many columns as x has',
    );
  }
  if (bias && bias.count !== out)
    throw new TensorError(
      `linear: weight [${weight.shape}] needs a bias [${out}], got [${bias.shape}]`,
      'give a bias of one number a row of the weight',
    );
}
