import { pointwise, pointwiseSlope } from './pointwise.ts';

/** A convolution of channel-last images; as `ConvSizes` of src/kernels/conv.ts. */
export interface ConvolutionSizes {
  batch: number;
  height: number;
  width: number;
  channels: number;
  out_channels: number;
  kernel: readonly [height: number, width: number];
  stride?: number;
  padding?: readonly [top: number, left: number, bottom: number, right: number];
  groups?: number;
}

interface Meeting {
  /** Where the number lies in x [batch, height, width, channels], in weight [out, kh kw c], in y [batch, out_h, out_w, out]. */
  x: number;
  weight: number;
  y: number;
}

/** Every product that a convolution adds up, pixels of the padding left out. */
function* meetings(o: ConvolutionSizes): Generator<Meeting> {
  const { stride = 1, padding = [0, 0, 0, 0], groups = 1, kernel } = o;
  const [outH, outW] = convolutionOutput(o);
  const [depth, made] = [o.channels / groups, o.out_channels / groups];
  for (let b = 0; b < o.batch; b++)
    for (let row = 0; row < outH; row++)
      for (let col = 0; col < outW; col++)
        for (let ky = 0; ky < kernel[0]; ky++)
          for (let kx = 0; kx < kernel[1]; kx++) {
            const [y, x] = [row * stride + ky - padding[0], col * stride + kx - padding[1]];
            if (y < 0 || x < 0 || y >= o.height || x >= o.width) continue;
            const from = ((b * o.height + y) * o.width + x) * o.channels;
            const to = ((b * outH + row) * outW + col) * o.out_channels;
            for (let out = 0; out < o.out_channels; out++) {
              const first = Math.floor(out / made) * depth;
              const weights = (out * kernel[0] * kernel[1] + ky * kernel[1] + kx) * depth;
              for (let c = 0; c < depth; c++) yield { x: from + first + c, weight: weights + c, y: to + out };
            }
          }
}

/** Height and width of the result. */
export function convolutionOutput(o: ConvolutionSizes): [number, number] {
  const { stride = 1, padding = [0, 0, 0, 0], kernel } = o;
  return [
    Math.floor((o.height + padding[0] + padding[2] - kernel[0]) / stride) + 1,
    Math.floor((o.width + padding[1] + padding[3] - kernel[1]) / stride) + 1,
  ];
}

/** The convolution itself: x [batch, height, width, channels], weight [out, kh kw channels / groups] -> [batch, out_h, out_w, out]. */
export function convolved(x: ArrayLike<number>, weight: ArrayLike<number>, o: ConvolutionSizes): Float64Array {
  const [outH, outW] = convolutionOutput(o);
  const y = new Float64Array(o.batch * outH * outW * o.out_channels);
  for (const at of meetings(o)) y[at.y] = (y[at.y] as number) + (x[at.x] as number) * (weight[at.weight] as number);
  return y;
}

/** Its gradients, from dy. */
export function convolvedGradients(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  dy: ArrayLike<number>,
  o: ConvolutionSizes,
): { dx: Float64Array; dweight: Float64Array } {
  const dx = new Float64Array(o.batch * o.height * o.width * o.channels);
  const dweight = new Float64Array((o.out_channels * o.kernel[0] * o.kernel[1] * o.channels) / (o.groups ?? 1));
  for (const at of meetings(o)) {
    const up = dy[at.y] as number;
    dx[at.x] = (dx[at.x] as number) + up * (weight[at.weight] as number);
    dweight[at.weight] = (dweight[at.weight] as number) + up * (x[at.x] as number);
  }
  return { dx, dweight };
}

/** The first `count` numbers of each of the three, one by one: for images too large to do whole. */
export function convolutionStart(
  x: ArrayLike<number>,
  weight: ArrayLike<number>,
  dy: ArrayLike<number>,
  o: ConvolutionSizes,
  count: number,
): { y: Float64Array; dx: Float64Array; dweight: Float64Array } {
  const { stride = 1, padding = [0, 0, 0, 0], groups = 1, kernel } = o;
  const [outH, outW] = convolutionOutput(o);
  const taps = kernel[0] * kernel[1];
  /** Channels that a group reads, and makes. */
  const [depth, made] = [o.channels / groups, o.out_channels / groups];
  const xAt = (b: number, row: number, col: number, c: number) =>
    row < 0 || col < 0 || row >= o.height || col >= o.width
      ? 0
      : (x[((b * o.height + row) * o.width + col) * o.channels + c] as number);
  const dyAt = (b: number, row: number, col: number, out: number) =>
    row < 0 || col < 0 || row >= outH || col >= outW || !Number.isInteger(row) || !Number.isInteger(col)
      ? 0
      : (dy[((b * outH + row) * outW + col) * o.out_channels + out] as number);
  const sum = (terms: number, term: (i: number) => number) => {
    let total = 0;
    for (let i = 0; i < terms; i++) total += term(i);
    return total;
  };
  const first = (all: number, value: (i: number) => number) =>
    Float64Array.from({ length: Math.min(all, count) }, (_, i) => value(i));
  /** Image, row, column and channel of a number of channel-last images. */
  const where = (i: number, height: number, width: number, channels: number) => {
    const pixel = Math.floor(i / channels);
    const area = height * width;
    return [Math.floor(pixel / area), Math.floor((pixel % area) / width), pixel % width, i % channels] as const;
  };
  return {
    y: first(o.batch * outH * outW * o.out_channels, (i) => {
      const [b, row, col, out] = where(i, outH, outW, o.out_channels);
      return sum(taps * depth, (k) => {
        const [ky, kx] = [Math.floor(k / depth / kernel[1]), Math.floor(k / depth) % kernel[1]];
        const c = Math.floor(out / made) * depth + (k % depth);
        const value = xAt(b, row * stride + ky - padding[0], col * stride + kx - padding[1], c);
        return value * (weight[out * taps * depth + k] as number);
      });
    }),
    dx: first(x.length, (i) => {
      const [b, row, col, c] = where(i, o.height, o.width, o.channels);
      return sum(taps * made, (k) => {
        const [tap, out] = [k % taps, Math.floor(c / depth) * made + Math.floor(k / taps)];
        const [ky, kx] = [Math.floor(tap / kernel[1]), tap % kernel[1]];
        const up = dyAt(b, (row + padding[0] - ky) / stride, (col + padding[1] - kx) / stride, out);
        return up * (weight[(out * taps + tap) * depth + (c % depth)] as number);
      });
    }),
    dweight: first(weight.length, (i) => {
      const [tap, out] = [Math.floor(i / depth) % taps, Math.floor(i / depth / taps)];
      const [ky, kx] = [Math.floor(tap / kernel[1]), tap % kernel[1]];
      return sum(o.batch * outH * outW, (pixel) => {
        const [b, row, col] = where(pixel, outH, outW, 1);
        const c = Math.floor(out / made) * depth + (i % depth);
        const value = xAt(b, row * stride + ky - padding[0], col * stride + kx - padding[1], c);
        return value * dyAt(b, row, col, out);
      });
    }),
  };
}

/** Weights with rows and channels exchanged, of each group: [groups m, taps, n] -> [groups n, taps, m]. */
export function exchanged(weight: ArrayLike<number>, groups: number, m: number, taps: number, n: number): Float64Array {
  const out = new Float64Array(weight.length);
  for (let g = 0; g < groups; g++)
    for (let i = 0; i < m; i++)
      for (let t = 0; t < taps; t++)
        for (let j = 0; j < n; j++)
          out[((g * n + j) * taps + t) * m + i] = weight[((g * m + i) * taps + t) * n + j] as number;
  return out;
}

/** What a convolution may read instead of images [batch, height, width, channels]. */
export interface ConvolutionSource {
  /** Two inputs side by side, each times its factor: the channels of the first. */
  cat?: { first: number; scale: number; scale2: number };
  /** Each stored pixel is four. */
  doubled?: boolean;
  silu?: boolean;
}

/** The images that are read: x and x2 put together. */
export function sourceOf(
  x: ArrayLike<number>,
  x2: ArrayLike<number> | undefined,
  o: Pick<ConvolutionSizes, 'batch' | 'height' | 'width' | 'channels'>,
  { cat, doubled, silu }: ConvolutionSource,
): Float64Array {
  const out = new Float64Array(o.batch * o.height * o.width * o.channels);
  const [height, width] = doubled ? [o.height / 2, o.width / 2] : [o.height, o.width];
  for (let i = 0; i < out.length; i++) {
    const c = i % o.channels;
    const col = Math.floor(i / o.channels) % o.width;
    const row = Math.floor(i / o.channels / o.width) % o.height;
    const b = Math.floor(i / o.channels / o.width / o.height);
    const pixel = doubled ? (b * height + (row >> 1)) * width + (col >> 1) : (b * height + row) * width + col;
    const value = !cat
      ? (x[pixel * o.channels + c] as number)
      : c < cat.first
        ? cat.scale * (x[pixel * cat.first + c] as number)
        : cat.scale2 * ((x2 as ArrayLike<number>)[pixel * (o.channels - cat.first) + c - cat.first] as number);
    out[i] = silu ? pointwise('silu', value) : value;
  }
  return out;
}

/** The slope of SiLU at scale before. */
export const siluSlope = (scale: number, before: number): number => pointwiseSlope('silu', scale * before);
