import {
  fold,
  poolBackward,
  pool as poolKernel,
  unfold as unfoldKernel,
  type WindowDims,
  windowDims,
} from '../../kernels/window.ts';
import type { Tensor } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';
import { type LinearOptions, linear } from './linear.ts';

/** A window that slides over an image. */
export interface Window {
  readonly size: readonly [height: number, width: number];
  readonly stride?: number;
  readonly padding?: readonly [height: number, width: number];
}

function dimsOf(x: Tensor, { size, stride = 1, padding = [0, 0] }: Window): WindowDims {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const [kernel_h, kernel_w] = size;
  const [pad_h, pad_w] = padding;
  return windowDims({ batch, height, width, channels, kernel_h, kernel_w, stride, pad_h, pad_w });
}

/** Windows as rows: [B, H, W, C] -> [B, H', W', kh kw C], zeros in the padding. */
export function unfold(tape: Tape, x: Tensor, window: Window): Tensor {
  const { device } = tape.workspace;
  const dims = dimsOf(x, window);
  const rows = tape.alloc(dims.batch, dims.out_h, dims.out_w, dims.kernel_h * dims.kernel_w * dims.channels);
  tape.run(unfoldKernel.prepare(device), { x, rows }, dims);
  return tape.push({
    op: 'unfold',
    inputs: [x],
    output: rows,
    saved: [],
    vjp: (drows, sink) => sink.give(x, (dx) => tape.run(fold.prepare(device), { rows: drows, x: dx }, dims)),
  });
}

/**
 * Convolution of channel-last images: x [B, H, W, C], weight [out, kh kw C] (window row, window column, channel), bias [out] ->
 * [B, H', W', out]; the activation is fused. Windows become rows, and the product does the work.
 */
export function conv2d(
  tape: Tape,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  window: Window,
  options: LinearOptions = {},
): Tensor {
  const { size, stride = 1 } = window;
  if (size[0] === 1 && size[1] === 1 && stride === 1) return linear(tape, x, weight, bias, options);
  const rows = unfold(tape, x, window); // [B, H', W', kh kw C]
  const y = linear(tape, rows, weight, bias, options); // [B, H', W', out]
  if (!tape.recording) tape.release(rows);
  return y;
}

/** The largest element, or the mean, of each window: [B, H, W, C] -> [B, H', W', C]. Padding takes no part. */
export function pool2d(tape: Tape, x: Tensor, kind: 'max' | 'mean', window: Window): Tensor {
  const { device } = tape.workspace;
  const dims = dimsOf(x, window);
  const y = tape.alloc(dims.batch, dims.out_h, dims.out_w, dims.channels);
  tape.run(poolKernel.prepare(device, { kind }), { x, y }, dims);
  return tape.push({
    op: 'pool2d',
    inputs: [x],
    output: y,
    saved: [],
    vjp: (dy, sink) => sink.give(x, (dx) => tape.run(poolBackward.prepare(device, { kind }), { x, dy, dx }, dims)),
  });
}
