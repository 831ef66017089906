/**
 * Convolution and pooling of the cases over any number of axes, channel-last inside. The window kernels work on images with
 * one stride and as much padding before as after; windows over one axis after the other are the same windows.
 */

import { pool2d, unfold } from '../../src/autograd/ops/convolution.ts';
import { linear } from '../../src/autograd/ops/linear.ts';
import { matmul } from '../../src/autograd/ops/matmul.ts';
import type { Tape } from '../../src/autograd/tape.ts';
import { fold as foldKernel, unfold as unfoldKernel, type WindowDims, windowDims } from '../../src/kernels/window.ts';
import type { Tensor } from '../../src/tensor/index.ts';
import { type Notes, need, product } from './case.ts';
import { add, concat, pad, permute, slice, spread } from './tensors.ts';

/** A window over the axes of an image, as the frameworks state it. */
export interface WindowSpec {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  /** Before and after, for each axis. */
  readonly padding: readonly (readonly [number, number])[];
}

/** Refuses windows that do not fit the axes, or are empty, or do not move. */
function checkWindow({ kernel, stride, dilation, padding }: WindowSpec, axes: number, groups = 1): void {
  const whole = (of: readonly number[]) => of.length === axes && of.every((v) => Number.isInteger(v) && v >= 1);
  const fits = [kernel, stride, dilation].every(whole) && padding.length === axes;
  need(fits, `a window [${kernel}], stride [${stride}], dilation [${dilation}] over ${axes} axes`);
  need(Number.isInteger(groups) && groups >= 1, `${groups} groups`);
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** [B, C, ...S] -> [B, ...S, C], and back. */
export const channelsLast = (tape: Tape, x: Tensor): Tensor =>
  permute(tape, x, [0, ...range(x.shape.length - 2).map((i) => i + 2), 1]);
export const channelsFirst = (tape: Tape, x: Tensor): Tensor =>
  permute(tape, x, [0, x.shape.length - 1, ...range(x.shape.length - 2).map((i) => i + 1)]);

/** An axis of [B, ...S, C] as the height of an image one pixel wide, so that the stride is its own: what comes after it are channels. */
function asHeight(shape: readonly number[], axis: number): [number, number, 1, number] {
  return [product(shape.slice(0, axis)), shape[axis] as number, 1, product(shape.slice(axis + 1))];
}

/** True where one call of a window kernel does it: two axes, one stride, padding alike on both sides and less than the window. */
function isPlain({ kernel, stride, padding }: WindowSpec): boolean {
  const even = padding.every(([before, after], i) => before === after && before < (kernel[i] as number));
  return kernel.length === 2 && stride[0] === stride[1] && even;
}

/** Windows as rows: [B, ...S, C] -> [B, ...S', K C]. */
function unfolded(tape: Tape, x: Tensor, spec: WindowSpec): Tensor {
  const { kernel, stride, padding } = spec;
  if (isPlain(spec)) {
    const window = { size: kernel, stride: stride[0], padding: padding.map(([before]) => before) };
    return unfold(tape, x, window as never);
  }
  let y = x;
  padding.forEach(([before, after], i) => void (y = pad(tape, y, i + 1, before, after)));
  for (const i of range(kernel.length).reverse()) {
    const axis = i + 1;
    const [k, s] = [kernel[i] as number, stride[i] as number];
    const lead = y.shape.slice(0, axis);
    const [inner, channels] = [y.shape.slice(axis + 1, -1), y.shape.at(-1) as number];
    const rows = unfold(tape, y.view(...asHeight(y.shape, axis)), { size: [k, 1], stride: s });
    const count = rows.shape[1] as number;
    const taps = rows.view(product(lead), count, k, product(inner), channels);
    y = permute(tape, taps, [0, 1, 3, 2, 4]).view(...lead, count, ...inner, k * channels);
  }
  return y;
}

/** The transpose of unfold, on the tape: rows to an image, each pixel the sum of its copies. */
function fold(tape: Tape, rows: Tensor, dims: WindowDims): Tensor {
  const { device } = tape.workspace;
  const x = tape.alloc(dims.batch, dims.height, dims.width, dims.channels);
  tape.run(foldKernel.prepare(device), { rows, x }, dims);
  return tape.push({
    op: 'fold',
    inputs: [rows],
    output: x,
    saved: [],
    vjp: (dx, sink) => sink.give(rows, (drows) => tape.run(unfoldKernel.prepare(device), { x: dx, rows: drows }, dims)),
  });
}

/** Rows [B, ...S', K C] to the image [B, ...size, C] that unfolds to them. */
export function folded(tape: Tape, rows: Tensor, size: readonly number[], channels: number, spec: WindowSpec): Tensor {
  checkWindow(spec, rows.shape.length - 2);
  const { kernel, stride, padding } = spec;
  const [batch] = rows.shape as readonly [number];
  if (isPlain(spec)) {
    const [[pad_h], [pad_w]] = padding as [[number, number], [number, number]];
    const [height, width] = size as [number, number];
    const window = { kernel_h: kernel[0] as number, kernel_w: kernel[1] as number, stride: stride[0] as number };
    const dims = windowDims({ batch, height, width, channels, ...window, pad_h, pad_w });
    if (dims.out_h === rows.shape[1] && dims.out_w === rows.shape[2]) return fold(tape, rows, dims);
  }
  let y = rows;
  for (const i of range(kernel.length)) {
    const axis = i + 1;
    const [k, s] = [kernel[i] as number, stride[i] as number];
    const [before] = padding[i] as [number, number];
    const lead = y.shape.slice(0, axis);
    const [count, inner] = [y.shape[axis] as number, y.shape.slice(axis + 1, -1)];
    const wide = (y.shape.at(-1) as number) / k;
    const height = (count - 1) * s + k;
    const taps = permute(tape, y.view(product(lead), count, product(inner), k, wide), [0, 1, 3, 2, 4]);
    const window = { kernel_h: k, kernel_w: 1, stride: s, pad_h: 0, pad_w: 0 };
    const dims = windowDims({ batch: product(lead), height, width: 1, channels: product(inner) * wide, ...window });
    y = fold(tape, taps, dims).view(...lead, height, ...inner, wide);
    const wanted = size[i] as number;
    y = pad(tape, y, axis, 0, Math.max(0, before + wanted - height));
    y = slice(tape, y, axis, before, wanted);
  }
  return y;
}

/** Weights with zeros between their taps, for windows that skip pixels. */
function dilated(tape: Tape, w: Tensor, spec: WindowSpec, notes: Notes): { weight: Tensor; spec: WindowSpec } {
  if (spec.dilation.every((d) => d === 1)) return { weight: w, spec };
  notes.trick('dilation');
  let weight = w;
  spec.dilation.forEach((d, i) => void (weight = spread(tape, weight, i + 2, d)));
  return { weight, spec: { ...spec, kernel: weight.shape.slice(2), dilation: spec.dilation.map(() => 1) } };
}

/** x [B, C, ...S], weight [M, C / groups, ...K], bias [M] -> [B, M, ...S']. */
export function convolve(
  tape: Tape,
  x: Tensor,
  weights: Tensor,
  bias: Tensor | undefined,
  groups: number,
  window: WindowSpec,
  notes: Notes,
): Tensor {
  checkWindow(window, x.shape.length - 2, groups);
  const { weight, spec } = dilated(tape, weights, window, notes);
  const [filters, channels] = weight.shape as [number, number];
  need(x.shape[1] === channels * groups && filters % groups === 0, `groups of [${x.shape}] and [${weights.shape}]`);
  const last = channelsLast(tape, x);
  const each = filters / groups;
  const parts = range(groups).map((g) => {
    const own = slice(tape, last, last.shape.length - 1, g * channels, channels);
    const w = channelsLast(tape, slice(tape, weight, 0, g * each, each)).view(each, product(spec.kernel) * channels);
    return linear(tape, unfolded(tape, own, spec), w, groups === 1 ? bias : undefined);
  });
  const [one] = parts as [Tensor];
  const y = groups === 1 ? one : concat(tape, parts, one.shape.length - 1);
  return channelsFirst(tape, groups > 1 && bias ? add(tape, y, bias) : y);
}

/** x [B, C, ...S], weight [C, M / groups, ...K], bias [M] -> [B, M, ...size]: the transpose of a convolution. */
export function convolveTransposed(
  tape: Tape,
  x: Tensor,
  weights: Tensor,
  bias: Tensor | undefined,
  groups: number,
  window: WindowSpec,
  size: readonly number[],
  notes: Notes,
): Tensor {
  checkWindow(window, x.shape.length - 2, groups);
  const { weight, spec } = dilated(tape, weights, window, notes);
  const [channels, filters] = weight.shape as [number, number];
  need(x.shape[1] === channels && channels % groups === 0, `groups of [${x.shape}] and [${weights.shape}]`);
  const last = channelsLast(tape, x);
  need(size.length === spec.kernel.length && size.every((n) => Number.isInteger(n) && n >= 1), `an image of [${size}]`);
  const each = channels / groups;
  const lead = last.shape.slice(0, -1);
  const parts = range(groups).map((g) => {
    const own = slice(tape, last, last.shape.length - 1, g * each, each);
    const w = channelsLast(tape, slice(tape, weight, 0, g * each, each)); // [C/g, ...K, M/g]
    const rows = matmul(tape, own.view(product(lead), each), w.view(each, w.count / each));
    return folded(tape, rows.view(...lead, w.count / each), size, filters, spec);
  });
  const [one] = parts as [Tensor];
  const y = groups === 1 ? one : concat(tape, parts, one.shape.length - 1);
  return channelsFirst(tape, bias ? add(tape, y, bias) : y);
}

/** Pooling of [B, C, ...S] to [B, C, ...size]; padding takes no part. */
export function poolTo(tape: Tape, x: Tensor, kind: 'max' | 'mean', spec: WindowSpec, size: readonly number[]): Tensor {
  checkWindow(spec, x.shape.length - 2);
  need(
    spec.dilation.every((d) => d === 1),
    'dilation',
  );
  const last = channelsLast(tape, x);
  const { kernel, stride } = spec;
  const fits = kernel.length === 2 && stride[0] === stride[1];
  const axes = range(kernel.length).map((i) => leadIn(spec, x.shape[i + 2] as number, size[i] as number, i));
  let y = last;
  if (fits) {
    const window = { size: kernel, stride: stride[0], padding: axes.map((a) => a.padding) };
    y = pool2d(tape, y, kind, window as never);
  } else {
    for (const i of range(kernel.length)) {
      const shape = y.shape;
      const window = { size: [kernel[i], 1], stride: stride[i], padding: [axes[i]?.padding, 0] };
      const pooled = pool2d(tape, y.view(...asHeight(shape, i + 1)), kind, window as never);
      y = pooled.view(...shape.slice(0, i + 1), pooled.shape[1] as number, ...shape.slice(i + 2));
    }
  }
  axes.forEach(({ skip }, i) => void (y = slice(tape, y, i + 1, skip, size[i] as number)));
  return channelsFirst(tape, y);
}

/** Padding on both sides that has all the wanted windows among its own, and how many come before them. */
function leadIn(
  { kernel, stride, padding }: WindowSpec,
  length: number,
  wanted: number,
  i: number,
): { padding: number; skip: number } {
  const [k, s] = [kernel[i] as number, stride[i] as number];
  const [before] = padding[i] as [number, number];
  for (let skip = 0; before + skip * s < k; skip++) {
    const both = before + skip * s;
    if (Math.floor((length + 2 * both - k) / s) + 1 - skip >= wanted) return { padding: both, skip };
  }
  return need(false, `windows of ${k} over ${length} with padding ${padding[i]}`) as never;
}
