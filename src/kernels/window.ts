import { defineKernel, group, groupsOf, oneOf } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

/** A window of kernel_h x kernel_w that slides over channel-last images in steps of `stride`. */
export interface WindowDims {
  batch: number;
  height: number;
  width: number;
  channels: number;
  kernel_h: number;
  kernel_w: number;
  stride: number;
  pad_h: number;
  pad_w: number;
  out_h: number;
  out_w: number;
}

/** Dims with out_h and out_w filled in: floor((size + 2 pad - kernel) / stride) + 1. */
export function windowDims(d: Omit<WindowDims, 'out_h' | 'out_w'>): WindowDims {
  const outputs = (size: number, kernel: number, pad: number) =>
    Math.max(0, Math.floor((size + 2 * pad - kernel) / d.stride) + 1);
  return { ...d, out_h: outputs(d.height, d.kernel_h, d.pad_h), out_w: outputs(d.width, d.kernel_w, d.pad_w) };
}

const pixels = (d: WindowDims) => d.batch * d.height * d.width * d.channels;
const outputs = (d: WindowDims) => d.batch * d.out_h * d.out_w;
const unfolded = (d: WindowDims) => outputs(d) * d.kernel_h * d.kernel_w * d.channels;

function check(d: WindowDims): { what: string; fix: string } | undefined {
  const named = `window ${d.kernel_h} x ${d.kernel_w}, stride ${d.stride}, padding ${d.pad_h} x ${d.pad_w}`;
  if (d.stride === 0 || d.kernel_h === 0 || d.kernel_w === 0)
    return { what: `${named} is empty or does not move`, fix: 'give sizes and a stride of at least 1' };
  // A window that lies in the padding alone has no largest element and no mean.
  if (d.pad_h >= d.kernel_h || d.pad_w >= d.kernel_w)
    return { what: `${named}: a window can lie outside the image`, fix: 'pad by less than the window' };
  const { out_h, out_w } = windowDims(d);
  if (out_h < 1 || out_w < 1)
    return { what: `${named} does not fit an image of ${d.height} x ${d.width}`, fix: 'give larger images' };
  if (out_h !== d.out_h || out_w !== d.out_w)
    return { what: `${named} makes ${out_h} x ${out_w} outputs, not ${d.out_h} x ${d.out_w}`, fix: 'use windowDims' };
  return undefined;
}

/**
 * Windows as rows: x [batch, height, width, channels] -> rows [batch out_h out_w, kernel_h kernel_w channels] f32, with zeros
 * in the padding; a convolution is then a matrix product with weights [kernel_h kernel_w channels, out]. See shaders/unfold.wgsl.
 */
export const unfold = defineKernel({
  shader: shaders.unfold,
  sizes: (d) => ({ x: pixels(d), rows: unfolded(d) }),
  grid: (d, k) => groupsOf(unfolded(d), k, 4),
  check,
});

/** The backward of unfold: rows -> x, each pixel the sum of its copies. See shaders/fold.wgsl. */
export const fold = defineKernel({
  shader: shaders.fold,
  sizes: (d) => ({ rows: unfolded(d), x: pixels(d) }),
  grid: (d, k) => groupsOf(pixels(d), k),
  check,
});

/** The largest of a window, or its mean. */
export interface PoolOptions {
  /** The largest element of a window, or its mean; padding takes no part. */
  kind: 'max' | 'mean';
}

/** Pooling: x [batch, height, width, channels] -> y [batch, out_h, out_w, channels] f32. See shaders/pool_fwd.wgsl. */
export const pool = defineKernel({
  shader: shaders.pool_fwd,
  options: group<PoolOptions>({ kind: oneOf('max', 'mean') }),
  knobs: (o: PoolOptions) => ({ MAX: o.kind === 'max' }),
  sizes: (d) => ({ x: pixels(d), y: outputs(d) * d.channels }),
  grid: (d, k) => groupsOf(outputs(d) * d.channels, k),
  check,
});

/** The gradient of pool: x, dy as y, dx as x. See shaders/pool_bwd.wgsl. */
export const poolBackward = defineKernel({
  shader: shaders.pool_bwd,
  options: group<PoolOptions>({ kind: oneOf('max', 'mean') }),
  knobs: (o: PoolOptions) => ({ MAX: o.kind === 'max' }),
  sizes: (d) => ({ x: pixels(d), dy: outputs(d) * d.channels, dx: pixels(d) }),
  grid: (d, k) => groupsOf(pixels(d), k),
  check,
});
