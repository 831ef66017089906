import { need, product } from '../case.ts';
import { pad, permute, reduce } from '../tensors.ts';
import { channelsFirst, convolve, convolveTransposed, folded, poolTo, type WindowSpec } from '../windows.ts';
import type { Adapters, Context } from './context.ts';

const ones = (count: number) => Array<number>(count).fill(1);
const NONE: readonly number[] = [];

/** What Conv, ConvTranspose, AveragePool, MaxPool and Col2Im say about their windows. */
const WINDOW = { strides: NONE, dilations: NONE, pads: NONE };

type Padding = readonly (readonly [number, number])[];

function pairs(pads: readonly number[], rank: number): Padding {
  if (pads.length === 0) return ones(rank).map(() => [0, 0]);
  need(pads.length === 2 * rank && pads.every((p) => p >= 0), `pads [${pads}]`);
  return ones(rank).map((_, i) => [pads[i] as number, pads[i + rank] as number]);
}

/** The padding that auto_pad asks for: `total` a side, the odd one at the end in SAME_UPPER. */
function automatic(auto: string, total: readonly number[]): Padding {
  return total.map((t) => {
    const [less, more] = [Math.floor(t / 2), Math.ceil(t / 2)];
    return auto === 'SAME_UPPER' ? [less, more] : [more, less];
  });
}

const extent = (k: number, d: number) => (k - 1) * d + 1;

/** The window over images of `size`, with auto_pad worked out. */
function windowOf(
  o: { strides: readonly number[]; dilations: readonly number[]; pads: readonly number[]; auto_pad: string },
  kernel: readonly number[],
  size: readonly number[],
): WindowSpec {
  const rank = kernel.length;
  need(rank === size.length && rank > 0, `a window [${kernel}] over [${size}]`);
  const stride = o.strides.length > 0 ? o.strides : ones(rank);
  const dilation = o.dilations.length > 0 ? o.dilations : ones(rank);
  const known = ['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER'];
  need(known.includes(o.auto_pad), `auto_pad ${o.auto_pad}`);
  let padding = pairs(o.auto_pad === 'VALID' ? [] : o.pads, rank);
  if (o.auto_pad.startsWith('SAME')) {
    const total = size.map((n, i) => {
      const s = stride[i] as number;
      return Math.max(0, (Math.ceil(n / s) - 1) * s + extent(kernel[i] as number, dilation[i] as number) - n);
    });
    padding = automatic(o.auto_pad, total);
  }
  return { kernel, stride, dilation, padding };
}

/** Windows along each axis; with ceil_mode the last may hang over the end, unless it starts past the image. */
function counts(spec: WindowSpec, size: readonly number[], ceil: boolean): number[] {
  return size.map((n, i) => {
    const [before, after] = spec.padding[i] as [number, number];
    const s = spec.stride[i] as number;
    const room = (n + before + after - extent(spec.kernel[i] as number, spec.dilation[i] as number)) / s;
    const count = (ceil ? Math.ceil(room) : Math.floor(room)) + 1;
    return ceil && (count - 1) * s >= n + before ? count - 1 : count;
  });
}

function pooled(c: Context, kind: 'max' | 'mean') {
  const o = c.attributes({
    ...WINDOW,
    kernel_shape: NONE,
    auto_pad: 'NOTSET',
    ceil_mode: 0,
    ...(kind === 'mean' ? { count_include_pad: 0 } : { storage_order: 0 }),
  });
  let x = c.input(0);
  let spec = windowOf(o, o.kernel_shape, x.shape.slice(2));
  const size = counts(spec, x.shape.slice(2), o.ceil_mode === 1);
  if (c.wants(1)) c.notes.part('indices of the largest');
  if ('count_include_pad' in o && o.count_include_pad === 1) {
    // Zeros that belong to the image count; what a last window has past them does not.
    spec.padding.forEach(([before, after], i) => void (x = pad(c.tape, x, i + 2, before, after)));
    spec = { ...spec, padding: spec.padding.map(() => [0, 0]) };
  }
  return [poolTo(c.tape, x, kind, spec, size), undefined];
}

function globalPool(c: Context, kind: 'max' | 'mean') {
  c.attributes({});
  const x = c.input(0);
  const size = x.shape.slice(2);
  if (kind === 'mean') {
    return [
      reduce(
        c.tape,
        x,
        size.map((_, i) => i + 2),
        'mean',
      ),
    ];
  }
  const spec = {
    kernel: size,
    stride: ones(size.length),
    dilation: ones(size.length),
    padding: pairs([], size.length),
  };
  return [poolTo(c.tape, x, 'max', spec, ones(size.length))];
}

function transposed(c: Context) {
  const o = c.attributes({
    ...WINDOW,
    kernel_shape: NONE,
    auto_pad: 'NOTSET',
    group: 1,
    output_padding: NONE,
    output_shape: NONE,
  });
  const [x, w] = [c.input(0), c.input(1)];
  const inputs = x.shape.slice(2);
  const rank = inputs.length;
  const spec = windowOf({ ...o, auto_pad: 'NOTSET' }, w.shape.slice(2), inputs);
  const extra = o.output_padding.length > 0 ? o.output_padding : ones(rank).map(() => 0);
  const reach = inputs.map(
    (n, i) =>
      (n - 1) * (spec.stride[i] as number) +
      extent(spec.kernel[i] as number, spec.dilation[i] as number) +
      (extra[i] as number),
  );
  const same = o.auto_pad.startsWith('SAME');
  let { padding } = spec;
  let size = reach.map((n, i) => n - (padding[i] as [number, number])[0] - (padding[i] as [number, number])[1]);
  if (same || o.output_shape.length > 0) {
    size =
      o.output_shape.length > 0
        ? [...o.output_shape.slice(-rank)]
        : inputs.map((n, i) => n * (spec.stride[i] as number));
    const total = reach.map((n, i) => n - (size[i] as number));
    // ONNX puts the odd one at the start, unless SAME_UPPER asks otherwise.
    // What lies past the windows' reach is 0, at the end.
    padding = automatic(
      o.auto_pad === 'SAME_UPPER' ? 'SAME_UPPER' : 'SAME_LOWER',
      total.map((t) => Math.max(0, t)),
    );
  } else need(o.auto_pad === 'NOTSET' || o.auto_pad === 'VALID', `auto_pad ${o.auto_pad}`);
  return convolveTransposed(c.tape, x, w, c.optional(2), o.group, { ...spec, padding }, size, c.notes);
}

export const windows: Adapters = {
  AveragePool: (c) => pooled(c, 'mean'),
  MaxPool: (c) => pooled(c, 'max'),
  GlobalAveragePool: (c) => globalPool(c, 'mean'),
  GlobalMaxPool: (c) => globalPool(c, 'max'),
  Conv: (c) => {
    const o = c.attributes({ ...WINDOW, kernel_shape: NONE, auto_pad: 'NOTSET', group: 1 });
    const [x, w] = [c.input(0), c.input(1)];
    const spec = windowOf(o, w.shape.slice(2), x.shape.slice(2));
    return [convolve(c.tape, x, w, c.optional(2), o.group, spec, c.notes)];
  },
  ConvTranspose: (c) => [transposed(c)],
  Col2Im: (c) => {
    const o = c.attributes(WINDOW);
    const [size, kernel] = [c.integers(1), c.integers(2)];
    const spec = windowOf({ ...o, auto_pad: 'NOTSET' }, kernel, size);
    need(
      spec.dilation.every((d) => d === 1),
      'dilation',
    );
    const x = c.input(0); // [B, C K, L]
    const [batch, wide] = x.shape as [number, number];
    const channels = wide / product(kernel);
    const places = counts(spec, size, false);
    need(x.shape.length === 3 && x.shape[2] === product(places), `columns [${x.shape}] of ${product(places)} windows`);
    need(Number.isInteger(channels), `columns [${x.shape}] of windows [${kernel}]`);
    const rows = permute(c.tape, x.view(batch, channels, product(kernel), product(places)), [0, 3, 2, 1]);
    return [channelsFirst(c.tape, folded(c.tape, rows.view(batch, ...places, wide), size, channels, spec))];
  },
};
