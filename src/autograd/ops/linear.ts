import { activationBackward, swigluBackward, swigluBackwardSums } from '../../kernels/activation.ts';
import type { MatmulOptions } from '../../kernels/matmul.ts';
import { rowsAndCols, storedAs, type Tensor, TensorError } from '../../tensor/index.ts';
import type { GradSink, Tape } from '../tape.ts';
import { swiglu } from './activation.ts';
import { cast } from './cast.ts';
import { gateBackward } from './gate.ts';
import { gatedProduct, giveChunks, product, splitProduct, sumsApart, weightGradients } from './product.ts';

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
  /** How the result is stored; default as x. */
  dtype?: 'f32' | 'f16';
}

/**
 * `act(x W^T + b)` (+ table): x [..., in], weight [out, in], bias [out] -> [..., out]. The activation is fused. With x or the result stored
 * as f16 the product is one of f16, by the weight's own f16 copy where it has one.
 */
export function linear(tape: Tape, x: Tensor, weight: Tensor, bias?: Tensor, options: LinearOptions = {}): Tensor {
  const { rows, cols } = rowsAndCols(x);
  const out = weight.shape[0] as number;
  checkLinear(x, weight, bias, cols, out);
  const act = options.act ?? 'none';
  const dtype = options.dtype ?? storedAs(x);
  const table = options.table && cast(tape, options.table, dtype);
  const y = tape.allocAs(dtype, ...x.shape.slice(0, -1), out);
  const pre = act !== 'none' && tape.recording ? tape.allocAs(dtype, rows, out) : undefined;
  const b = multiplied(weight, x, y);
  const shape = { m: rows, n: out, k: cols };
  const fused = { act, bias: bias !== undefined, residual: table !== undefined, pre: pre !== undefined };
  product(tape, 'nt', shape, fused, { a: x, b, bias, residual: table, pre }, y, {
    residual_rows: table?.shape[0],
  });
  if (table && table !== options.table) tape.release(table);
  const inputs = bias ? [x, weight, bias] : [x, weight];
  return tape.push({
    op: 'linear',
    inputs,
    output: y,
    saved: pre ? [pre] : [],
    vjp: (dy, sink) => {
      if (act === 'none' || !pre) {
        linearBackward(tape, sink, dy, x, weight, b, bias);
        return;
      }
      const dpre = tape.allocAs(dtype, rows, out);
      tape.run(
        activationBackward.prepare(tape.workspace.device, { act, dtype }),
        { x: pre, dy, dx: dpre },
        { count: dpre.count },
      );
      linearBackward(tape, sink, dpre, x, weight, b, bias);
      tape.release(dpre);
    },
  });
}

/**
 * silu(x1) * x2 of [x1 | x2] = x W^T + b: x [..., in], weight [2H, in], bias [2H] -> [..., H]. One kernel where the device has tiles for
 * it, of f32 or on subgroup matrices; elsewhere, and in f32x3, a product, then `swiglu`. Shazeer 2020.
 */
export function linearSwiglu(tape: Tape, x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const { device } = tape.workspace;
  const { rows, cols } = rowsAndCols(x);
  const out = weight.shape[0] as number;
  const shape = { m: rows, n: out, k: cols };
  const gated = gatedProduct(tape, shape, x);
  if (!gated) return swiglu(tape, linear(tape, x, weight, bias));
  checkLinear(x, weight, bias, cols, out);
  const dtype = storedAs(x);
  const y = tape.allocAs(dtype, ...x.shape.slice(0, -1), out / 2);
  const x12 = tape.recording ? tape.allocAs(dtype, rows, out) : undefined;
  const b = multiplied(weight, x, y);
  gated({ bias: !!bias, pre: !!x12 }, { a: x, b, bias, pre: x12 }, y);
  return tape.push({
    op: 'linearSwiglu',
    inputs: bias ? [x, weight, bias] : [x, weight],
    output: y,
    saved: x12 ? [x12] : [],
    vjp: (dy, sink) => {
      const dims = { rows, hidden: out / 2 };
      const dx12 = tape.allocAs(dtype, rows, out);
      const given = { x12: x12 as Tensor, dy, dx12 };
      const apart = bias && sumsApart(tape, sink, dx12, x, weight, bias) ? bias : undefined;
      if (apart) {
        giveChunks(tape, sink, apart, dy, rows, dims.hidden, (sums, chunk_rows) =>
          tape.run(swigluBackwardSums.prepare(device, { dtype }, dims), { ...given, sums }, { ...dims, chunk_rows }),
        );
      } else tape.run(swigluBackward.prepare(device, { dtype }, dims), given, dims);
      linearBackward(tape, sink, dx12, x, weight, b, apart ? undefined : bias);
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
  const dtype = storedAs(residual);
  const y = tape.allocAs(dtype, ...residual.shape);
  const h = tape.recording ? tape.allocAs(dtype, rows, out) : undefined;
  const b = multiplied(weight, x, y);
  const gate_stride = gate.from.shape.at(-1) as number;
  const fused = { act: 'none' as const, bias: bias !== undefined, gate: true, residual: true, pre: h !== undefined };
  product(tape, 'nt', { m: rows, n: out, k: cols }, fused, { a: x, b, bias, gate: gate.from, residual, pre: h }, y, {
    gate_rows: gate.rows,
    gate_stride,
    gate_offset: gate.offset,
    residual_rows: rows,
  });
  const dims = { rows, cols: out, mod_rows: gate.rows, mod_stride: gate_stride, gate_offset: gate.offset };
  return tape.push({
    op: 'linearGatedResidual',
    inputs: [x, weight, ...(bias ? [bias] : []), residual, gate.from],
    output: y,
    saved: h ? [h] : [],
    vjp: (dy, sink) => {
      sink.pass(residual, dy);
      const dh = tape.allocAs(dtype, rows, out);
      gateBackward(tape, sink, dy, h as Tensor, gate.from, dh, dims);
      linearBackward(tape, sink, dh, x, weight, b, bias);
      tape.release(dh);
    },
  });
}

/** The weight as a product reads it: its f16 copy, if it has one, where x or the result is stored so. */
function multiplied(weight: Tensor, x: Tensor, y: Tensor): Tensor {
  return x.dtype === 'f16' || y.dtype === 'f16' ? (weight.half ?? weight) : weight;
}

/** dx = dy W, dW = dy^T x, db = column sums of dy. */
function linearBackward(
  tape: Tape,
  sink: GradSink,
  dy: Tensor,
  x: Tensor,
  weight: Tensor,
  multiplier: Tensor,
  bias: Tensor | undefined,
): void {
  inputGradient(tape, sink, dy, x, multiplier);
  weightGradients(tape, sink, dy, x, weight, bias);
}

/** dx = dy W, added to a gradient that came before. */
function inputGradient(tape: Tape, sink: GradSink, dy: Tensor, x: Tensor, weight: Tensor): void {
  const { rows, cols } = rowsAndCols(x);
  const shape = { m: rows, n: cols, k: weight.shape[0] as number };
  sink.give(x, (dx, prior) => splitProduct(tape, 'nn', shape, dy, weight, dx, { prior }), 'fused');
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
