/** How the kernels of a convolution cover pixels and channels. */
import { type Caps, flag, group, type KnobValue, oneOf, optional, variants, whole } from '../kernel/index.ts';
import { cheapestBlocks, LONGEST_SUM, MOST_SPLITS } from './blocks_tile.ts';
import { tuningOf } from './tuning_tile.ts';

/** Straight from storage: tm x tn outputs an invocation, wgX x wgY invocations a workgroup. For CPU adapters, and the oracle. */
export interface PlainConvTile {
  kind: 'plain';
  tm: number;
  tn: number;
  wgX: number;
  wgY: number;
  /** Channels that are read lie in vectors of 4. */
  vec?: boolean;
  /** Of the gradient by the weight: so do those of dy. */
  vecDy?: boolean;
}

/** Through workgroup memory: 8 x 8 invocations make 32 qm x 32 qn outputs. For GPUs. */
export interface TiledConvTile {
  kind: 'tiled';
  qm: 1 | 2;
  qn: 1 | 2;
  vec?: boolean;
  vecDy?: boolean;
  /**
   * A step of 16 reads channels of one tap, or, of the gradient by the weight, pixels of one row, so that places are found once for many
   * steps: depth and first, or out_w, are multiples of 16. With vec.
   */
  whole?: boolean;
  /** Results are written in vectors of 4: n is a multiple of 4. Of the gradient by the weight `vec` says so. */
  vecN?: boolean;
  /** What is fetched is found in loops, in one place: for compilers of CPUs. A GPU takes longer over it. */
  rolled?: boolean;
}

export type ConvTile = PlainConvTile | TiledConvTile;

/** A convolution as a product of each group: m x k by k x n; `first` are the channels of the first of two inputs side by side. */
export interface ConvShape {
  m: number;
  n: number;
  k: number;
  groups?: number;
  depth: number;
  first?: number;
  /** Of the gradient by the weight: the width of what the convolution makes. Left out, no step is known to lie in one row. */
  out_w?: number;
}

const isPlain = (caps: Caps) => caps.software || caps.maxWorkgroupSize < 64 || caps.maxWorkgroupMemory < 8192;
const inFours = ({ depth, first = 0 }: ConvShape) => depth % 4 === 0 && first % 4 === 0;
/** What a CPU is over with in some 20 ms is not worth its compiler's seconds for more outputs an invocation. */
const isLong = ({ m, n, k, groups = 1 }: ConvShape) => groups * m * n * k >= 2 ** 25;

/** The tiling of conv2d for a shape on a device. Pure. */
export function chooseConv(shape: ConvShape, caps: Caps): ConvTile {
  const vec = inFours(shape);
  if (isPlain(caps)) {
    const each = isLong(shape) ? 8 : 4;
    return { kind: 'plain', tm: each, tn: each, wgX: 1, wgY: 8, vec };
  }
  const { qm, qn } = cheapestBlocks({ ...shape, batch: shape.groups ?? 1 }, { fewest: 1, most: 1 }, caps);
  const whole = vec && shape.depth % 16 === 0 && (shape.first ?? 0) % 16 === 0;
  return { kind: 'tiled', qm, qn, vec, vecN: shape.n % 4 === 0, whole };
}

/** A tiling, and into how many parts of kChunk pixels the gradient by the weight is cut; the caller adds them up. */
export type ConvWeightChoice = { tile: ConvTile; splits: number; kChunk: number };

/** The tiling of conv2dBackwardWeight for a shape on a device, whose k are pixels: many, and the output is small. Pure. */
export function chooseConvWeight(shape: ConvShape, caps: Caps): ConvWeightChoice {
  const { m, n, k, groups = 1 } = shape;
  const vec = inFours(shape);
  const vecDy = m % 4 === 0;
  const fewest = Math.max(1, Math.ceil(k / LONGEST_SUM));
  if (isPlain(caps)) {
    const kChunk = Math.ceil(k / fewest);
    const each = isLong(shape) ? 8 : 4;
    const tile: ConvTile = { kind: 'plain', tm: each, tn: each, wgX: 1, wgY: 8, vec, vecDy };
    return { tile, splits: Math.ceil(k / kChunk), kChunk };
  }
  const most = Math.max(fewest, Math.min(MOST_SPLITS, Math.floor(k / tuningOf(caps).product.minSplitK)));
  const { qm, qn, splits, kChunk } = cheapestBlocks({ m, n, k, batch: groups }, { fewest, most }, caps);
  const whole = vec && shape.out_w !== undefined && shape.out_w % 16 === 0;
  return { tile: { kind: 'tiled', qm, qn, vec, vecDy, whole }, splits, kChunk };
}

const vectors = { vec: optional(flag), vecDy: optional(flag) };

export const convTile = optional(
  variants<ConvTile>('kind', {
    plain: group<Omit<PlainConvTile, 'kind'>>(
      { tm: whole(1, 16), tn: whole(1, 16), wgX: whole(1, 256), wgY: whole(1, 256), ...vectors },
      ({ wgX, wgY }) =>
        wgX * wgY <= 256 ? undefined : { what: `tile has ${wgX} x ${wgY} invocations`, fix: 'give 256 at most' },
    ),
    tiled: group<Omit<TiledConvTile, 'kind'>>(
      {
        qm: oneOf(1, 2),
        qn: oneOf(1, 2),
        rolled: optional(flag),
        whole: optional(flag),
        vecN: optional(flag),
        ...vectors,
      },
      ({ whole, vec }) =>
        whole && !vec ? { what: 'tile.whole without tile.vec', fix: 'give vec, or leave whole out' } : undefined,
    ),
  }),
);

/** What the kernels read side by side, doubled or through SiLU, without storing it. */
export interface ConvSourceOptions {
  /** x and x2 lie side by side, times scale and scale2. */
  cat?: boolean;
  /** x is stored at half the height and width: every pixel is four. */
  doubled?: boolean;
  /** Numbers are read through SiLU. */
  silu?: boolean;
}

export const sourceOptions = { cat: optional(flag), doubled: optional(flag), silu: optional(flag) };

export const sourceKnobs = (o: ConvSourceOptions) => ({
  CAT: o.cat ?? false,
  DOUBLED: o.doubled ?? false,
  SILU: o.silu ?? false,
});

/** The knobs of a tile. */
export function tileKnobs(tile: ConvTile): Record<string, KnobValue | undefined> {
  const size =
    tile.kind === 'tiled'
      ? { QM: tile.qm, QN: tile.qn, ROLLED: tile.rolled ?? false, WHOLE: tile.whole ?? false }
      : { TM: tile.tm, TN: tile.tn, WG_X: tile.wgX, WG_Y: tile.wgY };
  return { ...size, VEC: tile.vec ?? false, Elem: tile.vec ? 'vec4f' : 'f32' };
}

interface SourceDims {
  m: number;
  groups: number;
  height: number;
  width: number;
  depth: number;
  out_h: number;
  out_w: number;
  kernel_w: number;
  stride: number;
  pad_h: number;
  pad_w: number;
  first: number;
}

type Knobs = Record<string, KnobValue>;

/** Numbers of x and x2 for so many made pixels. */
export function sourceSizes(d: SourceDims, pixels: number, k: Knobs): { x: number; x2: number } {
  const samples = pixels / (d.out_h * d.out_w);
  const stored = (samples * d.height * d.width) / (k.DOUBLED ? 4 : 1);
  const channels = d.depth * d.groups;
  return k.CAT ? { x: stored * d.first, x2: stored * (channels - d.first) } : { x: stored * channels, x2: 0 };
}

/** Rows and columns are packed into 16 bits, of which negative ones take half. */
const MOST_PIXELS = 0x3fff;

/** What is wrong with the dims of a convolution: `pixels` are made, windows are of `window` numbers. */
export function checkSource(d: SourceDims, pixels: number, window: number, k: Knobs) {
  if (d.depth === 0 || d.kernel_w === 0 || d.stride === 0 || d.out_h === 0 || d.out_w === 0 || d.groups === 0)
    return { what: 'depth, kernel_w, stride, groups, out_h or out_w is 0', fix: 'give at least 1 of each' };
  if (window === 0 || window % (d.depth * d.kernel_w) !== 0)
    return {
      what: `a window of ${window} numbers is no rows of ${d.kernel_w} taps of ${d.depth} channels`,
      fix: 'use convDims',
    };
  if (pixels % (d.out_h * d.out_w) !== 0)
    return { what: `${pixels} pixels are no images of ${d.out_h} x ${d.out_w}`, fix: 'use convDims' };
  const largest = Math.max(d.height, d.width, d.out_h * d.stride, d.out_w * d.stride) + Math.max(d.pad_h, d.pad_w);
  if (largest > MOST_PIXELS)
    return { what: `images of ${largest} pixels, padding and all`, fix: `give ${MOST_PIXELS} at most` };
  if (k.DOUBLED && (d.height % 2 !== 0 || d.width % 2 !== 0))
    return { what: `${d.height} x ${d.width} is no image that was doubled`, fix: 'give an even height and width' };
  if (k.CAT && (d.first === 0 || d.first >= d.depth * d.groups))
    return {
      what: `the first of two inputs has ${d.first} of ${d.depth * d.groups} channels`,
      fix: 'give channels to both',
    };
  if (k.VEC && (d.depth % 4 !== 0 || d.first % 4 !== 0))
    return {
      what: `depth ${d.depth} or first ${d.first} is no multiple of 4, but channels are read as vectors of 4`,
      fix: 'choose the tile for this shape',
    };
  return undefined;
}
