import { activationBackward, swigluBackward } from '../../kernels/activation.ts';
import {
  chooseMatmul,
  gluTile,
  type MatmulLayout,
  type MatmulOptions,
  matmul,
  sumsOnTheWay,
} from '../../kernels/matmul.ts';
import { chooseChunk, sumCols } from '../../kernels/reduce.ts';
import { rowsAndCols, type Tensor, TensorError } from '../../tensor/index.ts';
import type { GradSink, Tape } from '../tape.ts';
import { swiglu } from './activation.ts';
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

/**
 * silu(x1) * x2 of [x1 | x2] = x W^T + b: x [..., in], weight [2H, in], bias [2H] -> [..., H]. One kernel where the device has tiles for
 * it; elsewhere a product, then `swiglu`. Shazeer 2020.
 */
export function linearSwiglu(tape: Tape, x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const { device, caps } = tape.workspace;
  const { rows, cols } = rowsAndCols(x);
  const out = weight.shape[0] as number;
  const shape = { m: rows, n: out, k: cols };
  const tile = gluTile(shape, caps);
  if (!tile) return swiglu(tape, linear(tape, x, weight, bias));
  checkLinear(x, weight, bias, cols, out);
  const y = tape.alloc(...x.shape.slice(0, -1), out / 2);
  const x12 = tape.recording ? tape.alloc(rows, out) : undefined;
  const kernel = matmul.prepare(device, { layout: 'nt', glu: true, bias: !!bias, pre: !!x12, tile });
  tape.run(kernel, { a: x, b: weight, bias, pre: x12, out: y }, shape);
  return tape.push({
    op: 'linearSwiglu',
    inputs: bias ? [x, weight, bias] : [x, weight],
    output: y,
    saved: x12 ? [x12] : [],
    vjp: (dy, sink) => {
      const dims = { rows, hidden: out / 2 };
      const dx12 = tape.alloc(rows, out);
      tape.run(swigluBackward.prepare(device, undefined, dims), { x12: x12 as Tensor, dy, dx12 }, dims);
      linearBackward(tape, sink, dx12, x, weight, bias);
      tape.release(dx12);
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
    sink.give(weight, (dw) => sink.give(bias, (db) => splitProduct(tape, 'tn', shape, dy, x, dw, { sums: db })));
    return;
  }
  sink.give(weight, (dw) => splitProduct(tape, 'tn', shape, dy, x, dw));
  if (bias) sink.give(bias, (db) => columnSums(tape, dy, rows, out, db));
}

/** dx = dy W, added to a gradient that came before. */
function inputGradient(tape: Tape, sink: GradSink, dy: Tensor, x: Tensor, weight: Tensor): void {
  const { rows, cols } = rowsAndCols(x);
  const shape = { m: rows, n: cols, k: weight.shape[0] as number };
  sink.give(x, (dx, prior) => splitProduct(tape, 'nn', shape, dy, weight, dx, { prior }), 'fused');
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

/** What a split product does besides. */
export interface SplitOptions extends Pick<MatmulOptions, 'shareA' | 'shareB'> {
  /** [m]: the sums of the rows of op(A), which are the columns of a [k, m]; a tile takes them on the way. */
  sums?: Tensor | undefined;
  /** As out: what the product is added to. */
  prior?: Tensor | undefined;
}

/** A product alone: partial sums over slices of k where one pass would leave the device idle, as where k is the rows of a batch. */
export function splitProduct(
  tape: Tape,
  layout: MatmulLayout,
  shape: { m: number; n: number; k: number; batch?: number },
  a: Tensor,
  b: Tensor,
  out: Tensor,
  { sums, prior, ...shared }: SplitOptions = {},
): void {
  const { device, caps } = tape.workspace;
  const { m, n, k, batch = 1 } = shape;
  const { splits, kChunk, ...tile } = chooseMatmul(shape, caps);
  const whole = splits === 1;
  const onTheWay = sums !== undefined && sumsOnTheWay(tile);
  const fused = { ...shared, ...(onTheWay && { sums: true }), ...(whole && prior && { residual: true }) };
  const kernel = matmul.prepare(device, { layout, tile, ...fused });
  const parts = whole ? out : tape.alloc(splits, batch * m * n);
  const partSums = whole || !sums ? sums : tape.alloc(splits, m);
  const buffers = { a, b, out: parts, ...(onTheWay && { sums: partSums }), ...(whole && prior && { residual: prior }) };
  tape.run(kernel, buffers, { m, n, k, batch, k_chunk: kChunk, ...(whole && prior && { residual_rows: m }) });
  if (whole) {
    if (sums && !onTheWay) columnSums(tape, a, k, m, sums);
    return;
  }
  if (partSums && !onTheWay) {
    const of = { rows: k, cols: m, chunk_rows: kChunk };
    tape.run(sumCols.prepare(device, {}, of), { x: a, out: partSums }, of);
  }
  const dims = { rows: splits, cols: batch * m * n, chunk_rows: splits, ...(partSums && { tail_cols: m }) };
  const adder = sumCols.prepare(device, { ...(partSums && { tail: true }), ...(prior && { prior: true }) }, dims);
  const tails = partSums && { tail: partSums, tail_out: sums };
  tape.run(adder, { x: parts, out, ...(prior && { prior }), ...tails }, dims);
  tape.release(parts);
  if (partSums) tape.release(partSums);
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
