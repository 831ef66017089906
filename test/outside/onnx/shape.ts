import { patchify, unpatchify } from '../../../src/autograd/ops/patch.ts';
import { axisOf, need, product } from '../case.ts';
import { concat, permute, slice, take } from '../tensors.ts';
import { channelsLast } from '../windows.ts';
import type { Adapters, Context } from './context.ts';

const clamp = (v: number, low: number, high: number) => Math.min(high, Math.max(low, v));

/** Indices that start:end:step names of an axis, as numpy counts them. */
function indicesOf(size: number, start: number, end: number, step: number): number[] {
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const at = (v: number) => clamp(v < 0 ? v + size : v, low, high);
  const count = Math.max(0, Math.ceil((at(end) - at(start)) / step));
  return Array.from({ length: count }, (_, i) => at(start) + i * step);
}

function sliced(c: Context) {
  c.attributes({});
  let x = c.input(0);
  const [starts, ends] = [c.integers(1), c.integers(2)];
  const axes = c.integers(
    3,
    starts.map((_, i) => i),
  );
  const steps = c.integers(
    4,
    starts.map(() => 1),
  );
  axes.forEach((given, i) => {
    const axis = axisOf(given, x.shape.length);
    const step = steps[i] as number;
    const index = indicesOf(x.shape[axis] as number, starts[i] as number, ends[i] as number, step);
    x = step === 1 ? slice(c.tape, x, axis, index[0] ?? 0, index.length) : take(c.tape, x, axis, index);
  });
  return x;
}

/** Blocks of an image as channels: (row, column, channel) in DCR, (channel, row, column) in CRD. */
function blocks(c: Context) {
  const { blocksize, mode } = c.attributes({ blocksize: 0, mode: 'DCR' });
  need(mode === 'DCR' || mode === 'CRD', `mode ${mode}`);
  need(blocksize > 0 && c.host(0).shape.length === 4, `blocks of ${blocksize} of [${c.host(0).shape}]`);
  return { blocksize, order: mode === 'DCR' ? ('hwc' as const) : ('chw' as const), x: c.input(0) };
}

export const shape: Adapters = {
  Concat: (c) => {
    const { axis } = c.attributes({ axis: 0 });
    const parts = c.all();
    return [concat(c.tape, parts, axisOf(axis, parts[0]?.shape.length ?? 0))];
  },
  Slice: (c) => [sliced(c)],
  Transpose: (c) => {
    const x = c.input(0);
    const { perm } = c.attributes({ perm: x.shape.map((_, i) => i).reverse() });
    return [permute(c.tape, x, perm)];
  },
  Gather: (c) => {
    const x = c.input(0);
    const axis = axisOf(c.attributes({ axis: 0 }).axis, x.shape.length);
    const size = x.shape[axis] as number;
    const index = c.integers(1).map((i) => (i < 0 ? i + size : i));
    const taken = take(c.tape, x, axis, index);
    return [taken.view(...x.shape.slice(0, axis), ...c.host(1).shape, ...x.shape.slice(axis + 1))];
  },
  DepthToSpace: (c) => {
    const { x, blocksize, order } = blocks(c);
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    const tokens = channelsLast(c.tape, x).view(batch, height * width, channels);
    const image = [channels / blocksize ** 2, height * blocksize, width * blocksize] as const;
    return [unpatchify(c.tape, tokens, image, blocksize, order)];
  },
  SpaceToDepth: (c) => {
    const { x, blocksize, order } = blocks(c);
    const [batch, , height, width] = x.shape as [number, number, number, number];
    const tokens = patchify(c.tape, x, blocksize, order); // [B, H'W', p p C]
    const size = [height / blocksize, width / blocksize];
    return [permute(c.tape, tokens, [0, 2, 1]).view(batch, x.count / batch / product(size), ...size)];
  },
};
