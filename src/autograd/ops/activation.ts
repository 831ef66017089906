import {
  type ActivationOptions,
  activation,
  activationBackward,
  scaledSiluBackward,
  scaledSilu as scaledSiluKernel,
  swigluBackward,
  swiglu as swigluKernel,
  type UnaryOptions,
  unary,
  unaryBackward,
} from '../../kernels/activation.ts';
import { sumCols } from '../../kernels/reduce.ts';
import { rowsAndCols, storedAs, type Tensor } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

/** A nonlinearity, elementwise: gelu is the tanh form, gelu-erf the exact one, tanh the function itself. x [...] -> [...]. */
export function activate(tape: Tape, x: Tensor, act: ActivationOptions['act'] | UnaryOptions['fn']): Tensor {
  const { device } = tape.workspace;
  const dims = { count: x.count };
  const dtype = storedAs(x);
  const y = tape.allocAs(dtype, ...x.shape);
  const isFunction = act === 'tanh' || act === 'erf';
  const kernel = isFunction ? unary.prepare(device, { fn: act, dtype }) : activation.prepare(device, { act, dtype });
  tape.run(kernel, { x, y }, dims);
  return tape.push({
    op: act,
    inputs: [x],
    output: y,
    saved: [],
    vjp: (dy, sink) =>
      sink.give(x, (dx) => {
        const backward = isFunction
          ? unaryBackward.prepare(device, { fn: act, dtype })
          : activationBackward.prepare(device, { act, dtype });
        tape.run(backward, { x, dy, dx }, dims);
      }),
  });
}

/** silu(x1) * x2, where x12 [..., 2H] holds x1 then x2 -> [..., H]. Shazeer 2020. */
export function swiglu(tape: Tape, x12: Tensor): Tensor {
  const { device } = tape.workspace;
  const { rows, cols } = rowsAndCols(x12);
  const dims = { rows, hidden: cols / 2 };
  const dtype = storedAs(x12);
  const y = tape.allocAs(dtype, ...x12.shape.slice(0, -1), dims.hidden);
  tape.run(swigluKernel.prepare(device, { dtype }, dims), { x12, y }, dims);
  return tape.push({
    op: 'swiglu',
    inputs: [x12],
    output: y,
    saved: [],
    vjp: (dy, sink) =>
      sink.give(x12, (dx12) => tape.run(swigluBackward.prepare(device, { dtype }, dims), { x12, dy, dx12 }, dims)),
  });
}

/** silu(x (1 + scale)), a scale of each sample and channel: x [B, ..., C], scale [B, C] -> as x. Karras et al. 2024. */
export function scaledSilu(tape: Tape, x: Tensor, scale: Tensor): Tensor {
  const { device } = tape.workspace;
  const { rows, cols } = rowsAndCols(x);
  const pixels = rows / (x.shape[0] as number);
  const dims = { rows, cols, pixels };
  const y = tape.alloc(...x.shape);
  tape.run(scaledSiluKernel.prepare(device), { x, scale, y }, dims);
  return tape.push({
    op: 'scaledSilu',
    inputs: [x, scale],
    output: y,
    saved: [],
    vjp: (dy, sink) => {
      const [dx, byPixel] = [tape.alloc(...x.shape), tape.alloc(...x.shape)];
      tape.run(scaledSiluBackward.prepare(device), { x, scale, dy, dx, dscale: byPixel }, dims);
      sink.pass(x, dx);
      sink.give(scale, (to) => {
        const sums = { rows, cols, chunk_rows: pixels };
        tape.run(sumCols.prepare(device, {}, sums), { x: byPixel, out: to }, sums);
      });
      tape.release(dx);
      tape.release(byPixel);
    },
  });
}
