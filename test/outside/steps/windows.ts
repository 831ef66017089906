import { need } from '../case.ts';
import { pad, permute } from '../tensors.ts';
import { channelsFirst, channelsLast, convolve, convolveTransposed, poolTo, type WindowSpec } from '../windows.ts';
import { at, read, type StepContext, type Steps } from './step.ts';

const NONE: readonly number[] = [];
const WINDOW = { stride: NONE, padding: NONE, padding_order: '', dilation: NONE, layout: 'NCHW', groups: 1 };

const each = (rank: number, value: number) => Array<number>(rank).fill(value);

function windowOf(
  o: { stride: readonly number[]; padding: readonly number[]; padding_order: string; dilation: readonly number[] },
  kernel: readonly number[],
): WindowSpec {
  const rank = kernel.length;
  const of = (given: readonly number[], otherwise: number) => (given.length > 0 ? given : each(rank, otherwise));
  const sides = o.padding.length === 4 && rank === 2;
  need(!sides || o.padding_order.startsWith('[top, bottom, left, right]'), `padding in the order ${o.padding_order}`);
  need(sides || o.padding.length === rank || o.padding.length === 0, `padding [${o.padding}]`);
  const [top, bottom, left, right] = o.padding as [number, number, number, number];
  const padding: [number, number][] = sides
    ? [
        [top, bottom],
        [left, right],
      ]
    : of(o.padding, 0).map((p) => [p, p]);
  return { kernel, stride: of(o.stride, 1), dilation: of(o.dilation, 1), padding };
}

/** The image as [B, C, ...S], and the result back in the layout that the case has; an image without a batch is a batch of one. */
function inLayout(
  s: StepContext,
  layout: string,
  rank: number,
  f: (x: ReturnType<typeof at>) => ReturnType<typeof at>,
) {
  need(layout === 'NCHW' || layout === 'NHWC', `layout ${layout}`);
  const x = at(s, 0);
  const single = x.shape.length === rank + 1;
  need(single || x.shape.length === rank + 2, `an image [${x.shape}]`);
  const batch = single ? x.view(1, ...x.shape) : x;
  const y = layout === 'NHWC' ? channelsLast(s.tape, f(channelsFirst(s.tape, batch))) : f(batch);
  return single ? y.view(...y.shape.slice(1)) : y;
}

function pooled(s: StepContext, kind: 'max' | 'mean', rank: number) {
  const { groups: _, ...window } = WINDOW;
  const only = kind === 'mean' ? { count_include_pad: true } : { count_include_pad: undefined };
  const o = read(s, { ...window, kernel: NONE, ceil_mode: false, ...only });
  need(o.kernel.length === rank, `a window [${o.kernel}]`);
  let spec = windowOf(o, o.kernel);
  // tfjs divides the gradient by the whole window, where its result is divided by the pixels in it.
  const counted = kind === 'mean' && !o.count_include_pad && s.kase.source.startsWith('tensorflow/tfjs');
  need(
    !counted || o.padding.every((p) => p === 0),
    'a mean whose gradient counts the padding and whose result does not',
  );
  return inLayout(s, o.layout, rank, (image) => {
    const size = image.shape.slice(2).map((n, i) => {
      const [before, after] = spec.padding[i] as [number, number];
      const [k, step] = [spec.kernel[i] as number, spec.stride[i] as number];
      const room = (n + before + after - ((k - 1) * (spec.dilation[i] as number) + 1)) / step;
      const count = (o.ceil_mode ? Math.ceil(room) : Math.floor(room)) + 1;
      return o.ceil_mode && (count - 1) * step >= n + before ? count - 1 : count;
    });
    let x = image;
    if (o.count_include_pad) {
      spec.padding.forEach(([before, after], i) => void (x = pad(s.tape, x, i + 2, before, after)));
      spec = { ...spec, padding: spec.padding.map(() => [0, 0]) };
    }
    return poolTo(s.tape, x, kind, spec, size);
  });
}

/** A weight as the frameworks of images store it, from [kh, kw, a, b]. */
function weightOf(s: StepContext, order: string, known: { [order: string]: readonly number[] | undefined }) {
  const perm = known[order];
  need(order === '' || perm !== undefined, `a weight ${order}`);
  return perm ? permute(s.tape, at(s, 1), perm) : at(s, 1);
}

function convolved(s: StepContext, rank: number) {
  const o = read(s, { ...WINDOW, weight: '' });
  const w = weightOf(s, o.weight, { '[kh, kw, in, out]': [3, 2, 0, 1] });
  const spec = windowOf(o, w.shape.slice(2));
  return inLayout(s, o.layout, rank, (x) => convolve(s.tape, x, w, s.inputs[2], o.groups, spec, s.notes));
}

function transposed(s: StepContext, rank: number) {
  const o = read(s, { ...WINDOW, weight: '', output_padding: NONE, output_size: NONE });
  const w = weightOf(s, o.weight, { '[kh, kw, out, in]': [3, 2, 0, 1] });
  const spec = windowOf(o, w.shape.slice(2));
  return inLayout(s, o.layout, rank, (x) => {
    const reach = x.shape.slice(2).map((n, i) => {
      const [before, after] = spec.padding[i] as [number, number];
      const extent = ((spec.kernel[i] as number) - 1) * (spec.dilation[i] as number) + 1;
      return (n - 1) * (spec.stride[i] as number) + extent - before - after + (o.output_padding[i] ?? 0);
    });
    const size = o.output_size.length > 0 ? o.output_size : reach;
    return convolveTransposed(s.tape, x, w, s.inputs[2], o.groups, spec, size, s.notes);
  });
}

export const windows: Steps = {
  avg_pool1d: (s) => pooled(s, 'mean', 1),
  avg_pool2d: (s) => pooled(s, 'mean', 2),
  max_pool1d: (s) => pooled(s, 'max', 1),
  max_pool2d: (s) => pooled(s, 'max', 2),
  conv1d: (s) => convolved(s, 1),
  conv2d: (s) => convolved(s, 2),
  conv3d: (s) => convolved(s, 3),
  conv_transpose1d: (s) => transposed(s, 1),
  conv_transpose2d: (s) => transposed(s, 2),
  conv_transpose3d: (s) => transposed(s, 3),
};
