import { defineKernel, group } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import {
  CHOOSE,
  type ConvOptions,
  type ConvWeightOptions,
  checkConv,
  checkConvWeight,
  convKnobs,
  convOptions,
  convSizesOf,
  convWeightSizesOf,
} from './conv_product_tile.ts';
import {
  type ConvShape,
  type ConvTile,
  chooseConv,
  chooseConvWeight,
  convTile,
  sourceKnobs,
  sourceOptions,
  tileKnobs,
} from './conv_tile.ts';
import { elem, outElem } from './vec_tile.ts';

export type { ConvOptions, ConvWeightOptions } from './conv_product_tile.ts';
export { type ConvShape, type ConvTile, type ConvWeightChoice, chooseConv, chooseConvWeight } from './conv_tile.ts';

/** Images, channel-last, and what a convolution makes of them. */
export interface ConvSizes {
  batch: number;
  /** As the window sees them: of a doubled input twice what is stored. */
  height: number;
  width: number;
  channels: number;
  out_channels: number;
  kernel: readonly [height: number, width: number];
  stride?: number;
  /** Rows and columns of 0s around the images. */
  padding?: readonly [top: number, left: number, bottom: number, right: number];
  groups?: number;
}

/** Height and width of the result: floor((size + padding - kernel) / stride) + 1. */
export function convOutput(o: Omit<ConvSizes, 'batch' | 'channels' | 'out_channels'>): [height: number, width: number] {
  const { stride = 1, padding = [0, 0, 0, 0] } = o;
  const along = (size: number, kernel: number, pad: number) =>
    Math.max(0, Math.floor((size + pad - kernel) / stride) + 1);
  return [along(o.height, o.kernel[0], padding[0] + padding[2]), along(o.width, o.kernel[1], padding[1] + padding[3])];
}

/** The dims of the three kernels of one convolution: its result, its gradient by x, its gradient by the weight. */
export function convDims(o: ConvSizes) {
  const { batch, height, width, stride = 1, padding = [0, 0, 0, 0], groups = 1 } = o;
  const [out_h, out_w] = convOutput(o);
  const taps = o.kernel[0] * o.kernel[1];
  const depth = o.channels / groups;
  const made = o.out_channels / groups;
  const window = { groups, kernel_w: o.kernel[1], stride, pad_h: padding[0], pad_w: padding[1] };
  const forward = { ...window, height, width, depth, out_h, out_w };
  return {
    forward: { ...forward, m: batch * out_h * out_w, n: made, k: taps * depth },
    input: {
      ...window,
      height: out_h,
      width: out_w,
      depth: made,
      out_h: height,
      out_w: width,
      m: batch * height * width,
      n: depth,
      k: taps * made,
    },
    weight: { ...forward, m: made, n: taps * depth, k: batch * out_h * out_w },
  };
}

/** For what has no tile of its own. */
const ANY: ConvTile = { kind: 'plain', tm: 4, tn: 4, wgX: 8, wgY: 8 };

/** Stand for the convolutions of an app that names no shape: one whose channels lie in vectors of 4, and any other. */
const UNSHAPED = [256, 255].map((depth): ConvShape => ({ m: 4096, n: depth, k: 9 * depth, depth }));

/** Tilings for any shape, the best first. */
function unshaped<O extends { tile?: ConvTile }>(o: O, choose: (shape: ConvShape) => ConvTile) {
  if (o.tile) return [];
  const [fours, any] = UNSHAPED.map((shape) => ({
    ...o,
    tile: { ...choose(shape), vecDy: false, whole: false, vecN: false },
  })) as [O, O];
  return [
    { options: fours, when: (d: { depth: number; first: number }) => d.depth % 4 === 0 && d.first % 4 === 0 },
    { options: any, when: () => true },
  ];
}

/**
 * Convolution of channel-last images as a product whose windows are never stored:
 * `out = residual_scale residual + out_scale act(conv(x, weight) + bias)`. Buffers f32: x [batch, height, width, channels], or as
 * `ConvSourceOptions` say; weight [out_channels, kernel_h kernel_w channels / groups]; out, pre, before, residual [batch, out_h, out_w,
 * out_channels]; bias [out_channels]. Dims: `convDims`. Of `transposed` the weight has rows and channels exchanged;
 * its rows from first_row on are read.
 * See shaders/conv2d_plain.wgsl and shaders/conv2d_tiled.wgsl.
 */
export const conv2d = defineKernel({
  shader: (o: ConvOptions) => (o.tile?.kind === 'tiled' ? shaders.conv2d_tiled : shaders.conv2d_plain),
  name: 'conv2d',
  choose: (o: ConvOptions, shape: ConvShape, caps) => (o.tile ? o : { ...o, tile: chooseConv(shape, caps) }),
  unshaped: (o, caps) => unshaped(o, (shape) => chooseConv(shape, caps)),
  options: group<ConvOptions>({ ...convOptions, tile: convTile }),
  knobs: (o: ConvOptions) => ({
    ...tileKnobs(o.tile ?? ANY),
    ...(o.tile?.kind === 'tiled' && {
      VEC_N: o.tile.vecN ?? false,
      OElem: outElem(o.tile.vecN ?? false),
      RElem: elem(o.tile.vecN ?? false),
    }),
    ...convKnobs(o),
  }),
  sizes: convSizesOf,
  grid: (d, knobs) => {
    const k = knobs as Record<string, number>;
    const [rows, cols] = 'QM' in k ? [32 * k.QM, 32 * k.QN] : [k.TM * k.WG_Y, k.TN * k.WG_X];
    return Math.ceil(d.m / rows) * Math.ceil(d.n / cols) * d.groups;
  },
  check: (d, k) => {
    if (k.WHOLE && (d.depth % 16 !== 0 || d.first % 16 !== 0))
      return {
        what: `depth ${d.depth} or first ${d.first} is no multiple of 16, but a step reads one tap`,
        fix: CHOOSE,
      };
    return checkConv(d, k);
  },
});

/**
 * The gradient of `conv2d` by its weight, in parts of k_chunk pixels that the caller adds up. Buffers f32: x, x2 as conv2d reads them;
 * dy [batch, out_h, out_w, out_channels]; dweight [ceil(k / k_chunk), out_channels, kernel_h kernel_w channels / groups].
 * See shaders/conv2d_bwd_weight_plain.wgsl and shaders/conv2d_bwd_weight_tiled.wgsl.
 */
export const conv2dBackwardWeight = defineKernel({
  shader: (o: ConvWeightOptions) =>
    o.tile?.kind === 'tiled' ? shaders.conv2d_bwd_weight_tiled : shaders.conv2d_bwd_weight_plain,
  name: 'conv2dBackwardWeight',
  choose: (o: ConvWeightOptions, shape: ConvShape, caps) =>
    o.tile ? o : { ...o, tile: chooseConvWeight(shape, caps).tile },
  unshaped: (o, caps) => unshaped(o, (shape) => chooseConvWeight(shape, caps).tile),
  options: group<ConvWeightOptions>({ ...sourceOptions, tile: convTile }),
  knobs: (o: ConvWeightOptions) => ({
    ...tileKnobs(o.tile ?? ANY),
    ...(o.tile?.kind === 'tiled' && { OElem: outElem(o.tile.vec ?? false) }),
    ...sourceKnobs(o),
    VEC_DY: o.tile?.vecDy ?? false,
    Column: o.tile?.vecDy ? 'vec4f' : 'f32',
  }),
  sizes: convWeightSizesOf,
  grid: (d, knobs) => {
    const k = knobs as Record<string, number>;
    const slices = Math.ceil(d.k / d.k_chunk) * d.groups;
    if ('QM' in k) return slices * Math.ceil(d.m / (32 * k.QM)) * Math.ceil(d.n / (32 * k.QN));
    return slices * (d.n / d.depth) * Math.ceil(d.m / (k.TM * k.WG_Y)) * Math.ceil(d.depth / (k.TN * k.WG_X));
  },
  check: (d, k) => {
    if (k.VEC_DY && d.m % 4 !== 0) return { what: `m is ${d.m}, but dy is read as vectors of 4`, fix: CHOOSE };
    if (k.WHOLE && (d.out_w % 16 !== 0 || d.k_chunk % 16 !== 0))
      return {
        what: `out_w ${d.out_w} or k_chunk ${d.k_chunk} is no multiple of 16, but a step reads one row`,
        fix: CHOOSE,
      };
    if ('TN' in k && ((k.TN as number) % 4 !== 0 || (k.TM as number) % 4 !== 0))
      return { what: `tile of ${k.TM} x ${k.TN} outputs`, fix: 'give multiples of 4' };
    return checkConvWeight(d, k);
  },
});
