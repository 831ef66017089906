import {
  type AllDims,
  type Caps,
  defineKernel,
  flag,
  group,
  groupsOf,
  type KernelFamily,
  type KnobValue,
  oneOf,
  optional,
  whole as wholeNumber,
} from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { MOST_SPLITS } from './blocks_tile.ts';
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
  epilogueKnobs,
  epilogueOptions,
} from './conv_product_tile.ts';
import { type ConvShape, sourceKnobs, sourceOptions } from './conv_tile.ts';
import { cheapestMatrices, hasMatrices, type Matrices } from './matrix_tile.ts';
import { tuningOf } from './tuning_tile.ts';
import { byFours, checkFours, elem, outElem, type Stored, stored } from './vec_tile.ts';

/** On subgroup matrices: 32 tm x 32 tn outputs a workgroup. */
export type MatrixConvWeightTile = Pick<Matrices, 'tm' | 'tn'>;

export interface MatrixConvTile extends MatrixConvWeightTile {
  /** Results are written in vectors of 4: n is a multiple of 4. */
  vecN?: boolean;
  /** A step of 32 reads channels of one tap, so that places are found once for many steps: depth is a multiple of 32. */
  whole?: boolean;
  /** Parts of k, default 1. Above it the kernel writes their sums, [splits, m, groups n], which `conv2dFinish` adds up and finishes. */
  splits?: number;
}

export interface MatrixConvOptions extends Omit<ConvOptions, 'tile'> {
  /** How x and x2 are stored; default f32. */
  dtype?: Stored;
  /** How weight is stored; default as `dtype`. */
  weightDtype?: Stored;
  /** See `chooseMatrixConv`. */
  tile: MatrixConvTile;
}

export interface MatrixConvWeightOptions extends Omit<ConvWeightOptions, 'tile'> {
  /** How x and x2 are stored; default f32. */
  dtype?: Stored;
  /** How dy is stored; default as `dtype`. */
  dyDtype?: Stored;
  /** See `chooseMatrixConvWeight`. */
  tile: MatrixConvWeightTile;
}

/** Whether eight neighbours of a window are of one tap, and of one of two inputs. */
const inEights = ({ depth, first = 0 }: ConvShape) => depth % 8 === 0 && first % 8 === 0;
/** Fewer than a matrix has fill a quarter of the smallest tile: left to `conv2d`. */
const LEAST_CHANNELS = 16;

/**
 * Bytes that the parts of k of a convolution take of a step's memory at most. Shapes that gain by parts have few tiles, and so small
 * results; those of a huge picture, cut for the length of their sums alone, would be the largest tensors of a step.
 */
const MOST_PARTS = 2 ** 26;

/**
 * The tiling of conv2d on subgroup matrices, and into how many parts k is cut, 1 with `split` false; undefined where the device has none,
 * or the shape is `conv2d`'s. Pure.
 */
export function chooseMatrixConv(
  shape: ConvShape & { split?: boolean },
  caps: Caps,
): (MatrixConvTile & { splits: number }) | undefined {
  if (!hasMatrices(caps) || !inEights(shape) || shape.n < LEAST_CHANNELS) return undefined;
  const { m, n, k, groups: batch = 1, split = true } = shape;
  const whole = shape.depth % 32 === 0;
  const { tiles, secondPass } = tuningOf(caps).conv;
  const mostSplits = Math.floor(Math.min(MOST_PARTS, caps.maxBinding) / (4 * batch * m * n));
  const own = { secondPass, mostSplits, ...(whole && { tiles }) };
  const { tm, tn, splits } = cheapestMatrices({ m, n, k, batch, split }, 'f16', caps, own);
  return { tm, tn, vecN: n % 4 === 0, whole, splits };
}

/** Likewise of conv2dBackwardWeight, and into how many parts of kChunk pixels it is cut; the caller adds them up. */
export function chooseMatrixConvWeight(
  shape: ConvShape,
  caps: Caps,
): { tile: MatrixConvWeightTile; splits: number; kChunk: number } | undefined {
  const { m, n, k, groups: batch = 1 } = shape;
  if (!hasMatrices(caps) || !inEights(shape) || m % 8 !== 0 || m < LEAST_CHANNELS) return undefined;
  const { tm, tn, splits, kChunk } = cheapestMatrices({ m, n, k, batch }, 'f16', caps);
  return { tile: { tm, tn }, splits, kChunk };
}

const side = oneOf<2 | 4>(2, 4);
const words = (dtype: Stored) => (dtype === 'f16' ? 'vec4u' : 'vec4f');
const xKnobs = (dtype: Stored) => ({ HALVES_X: dtype === 'f16', XStored: dtype, XElem: words(dtype) });
const tilesOf = (d: { m: number; n: number }, { TM, TN }: Record<string, KnobValue>) =>
  Math.ceil(d.m / (32 * (TM as number))) * Math.ceil(d.n / (32 * (TN as number)));

function checkEights(sizes: { readonly [name: string]: number }) {
  const odd = Object.entries(sizes).find(([, size]) => size % 8 !== 0);
  return (
    odd && {
      what: `${odd[0]} is ${odd[1]}, but channels are read eight at a time`,
      fix: 'use conv2d where chooseMatrixConv has no tile',
    }
  );
}

const EPILOGUE = ['bias', 'act', 'pre', 'scaled', 'slope', 'residual'] as const;

/** What does not go with parts of k, which have no epilogue. */
function finishedLater(o: MatrixConvOptions): { what: string; fix: string } | undefined {
  const given = (o.tile.splits ?? 1) > 1 && EPILOGUE.find((part) => o[part] && o[part] !== 'none');
  return given
    ? {
        what: `${given} with a tile of ${o.tile.splits} splits`,
        fix: 'give it to conv2dFinish, which adds up the parts',
      }
    : undefined;
}

type MatrixConv = KernelFamily<shaders.Conv2dMatrix, MatrixConvOptions>;
type MatrixConvWeight = KernelFamily<shaders.Conv2dBwdWeightMatrix, MatrixConvWeightOptions>;

const FORWARD = shaders.conv2d_matrix;
const WEIGHT = shaders.conv2d_bwd_weight_matrix;

/** The family over another text of its shader: what a test that emulates subgroup matrices gives. */
export const defineMatrixConv = (shader: shaders.Conv2dMatrix): MatrixConv =>
  defineKernel<shaders.Conv2dMatrix, MatrixConvOptions>({
    name: 'matrixConv2d',
    shader,
    options: group<MatrixConvOptions>(
      {
        ...convOptions,
        dtype: stored,
        weightDtype: stored,
        tile: group<MatrixConvTile>({
          ...{ tm: side, tn: side, vecN: optional(flag), whole: optional(flag) },
          splits: optional(wholeNumber(1, MOST_SPLITS)),
        }),
      },
      finishedLater,
    ),
    knobs: (o) => {
      const { dtype = 'f32', weightDtype = dtype, tile } = o;
      const { tm, tn, vecN = false, whole = false, splits = 1 } = tile;
      return {
        ...convKnobs(o),
        ...xKnobs(dtype),
        ...{ HALVES_W: weightDtype === 'f16', WStored: weightDtype, WElem: words(weightDtype) },
        ...{ TM: tm, TN: tn, SPLITS: splits, WHOLE: whole, VEC_N: vecN, OElem: outElem(vecN), RElem: elem(vecN) },
      };
    },
    sizes: (d, k) => ({ ...convSizesOf(d, k), out: (k.SPLITS as number) * d.m * d.n * d.groups }),
    grid: (d, k) => (k.SPLITS as number) * d.groups * tilesOf(d, k),
    check: (d, k) =>
      checkEights({ depth: d.depth, first: d.first }) ??
      (k.WHOLE && d.depth % 32 !== 0
        ? { what: `depth is ${d.depth}, but a step reads 32 channels of one tap`, fix: CHOOSE }
        : checkConv(d, k)),
  });

/** Likewise of the gradient by the weight. */
export const defineMatrixConvWeight = (shader: shaders.Conv2dBwdWeightMatrix): MatrixConvWeight =>
  defineKernel<shaders.Conv2dBwdWeightMatrix, MatrixConvWeightOptions>({
    name: 'matrixConv2dBackwardWeight',
    shader,
    options: group<MatrixConvWeightOptions>({
      ...sourceOptions,
      dtype: stored,
      dyDtype: stored,
      tile: group<MatrixConvWeightTile>({ tm: side, tn: side }),
    }),
    knobs: (o) => {
      const { dtype = 'f32', dyDtype = dtype, tile } = o;
      return {
        ...sourceKnobs(o),
        ...xKnobs(dtype),
        ...{ HALVES_DY: dyDtype === 'f16', DyStored: dyDtype, DyElem: words(dyDtype) },
        ...{ TM: tile.tm, TN: tile.tn },
      };
    },
    sizes: convWeightSizesOf,
    grid: (d, k) => Math.ceil(d.k / d.k_chunk) * d.groups * tilesOf(d, k),
    check: (d, k) => checkEights({ m: d.m, depth: d.depth, first: d.first }) ?? checkConvWeight(d, k),
  });

/**
 * `conv2d` on subgroup matrices, for tiles of `chooseMatrixConv`: operands are rounded to f16 as they are read, or stored so; sums,
 * epilogue and results are f32. Buffers and dims are those of `conv2d`. See shaders/conv2d_matrix.wgsl.
 */
export const matrixConv2d = defineMatrixConv(FORWARD);

/** `conv2dBackwardWeight` likewise, for tiles of `chooseMatrixConvWeight`. See shaders/conv2d_bwd_weight_matrix.wgsl. */
export const matrixConv2dBackwardWeight = defineMatrixConvWeight(WEIGHT);

export interface ConvFinishOptions extends Pick<ConvOptions, (typeof EPILOGUE)[number]> {
  /** All but bias are accessed as vectors of 4: n is a multiple of 4. Default by the shape. */
  vec?: boolean;
}

/**
 * The second pass of `matrixConv2d` with splits above 1: adds up the parts and does what of `conv2d` follows the sums. Buffers f32:
 * x [splits, m, n], n all groups' channels; bias [n]; before, residual, out, pre [m, n]. See shaders/conv2d_finish.wgsl.
 */
export const conv2dFinish = defineKernel({
  shader: shaders.conv2d_finish,
  name: 'conv2dFinish',
  choose: (o: ConvFinishOptions | undefined, { n }: { n: number }): ConvFinishOptions | undefined =>
    o?.vec === undefined ? { ...o, vec: n % 4 === 0 } : o,
  unshaped: (o) =>
    o?.vec === undefined
      ? byFours((d: { n: number }) => d.n % 4 === 0).map((m) => ({ ...m, options: { ...o, ...m.options } }))
      : [],
  options: group<ConvFinishOptions>({ ...epilogueOptions, vec: optional(flag) }),
  knobs: (o: ConvFinishOptions | undefined) => {
    const vec = o?.vec ?? false;
    return { ...epilogueKnobs(o ?? {}), VEC_N: vec, OElem: outElem(vec), RElem: elem(vec) };
  },
  sizes: (d) => {
    const made = d.m * d.n;
    return { x: d.splits * made, bias: d.n, before: made, residual: made, out: made, pre: made };
  },
  grid: (d, k) => groupsOf(d.m * Math.ceil(d.n / 4), k),
  check: (d, k) =>
    d.splits === 0
      ? { what: 'splits is 0', fix: 'give the number of parts' }
      : checkFours('n', d.n, { VEC: k.VEC_N as boolean }),
});

export interface ConvHalvesOptions {
  /** x and x2 lie side by side, times scale and scale2. */
  cat?: boolean;
  /** Write silu of it. */
  silu?: boolean;
}

/**
 * What a convolution reads, written as halves: x f32 [pixels, depth], or x [pixels, first] and x2 side by side -> out f16 [pixels, depth].
 * depth and first are multiples of 8. See shaders/conv_halves.wgsl.
 */
export const convHalves = defineKernel({
  shader: shaders.conv_halves,
  options: group<ConvHalvesOptions>({ cat: optional(flag), silu: optional(flag) }),
  knobs: (o: ConvHalvesOptions | undefined) => ({ CAT: o?.cat ?? false, SILU: o?.silu ?? false }),
  sizes: (d: AllDims<shaders.ConvHalves>, k) => ({
    x: d.pixels * (k.CAT ? d.first : d.depth),
    x2: k.CAT ? d.pixels * (d.depth - d.first) : 0,
    out: d.pixels * d.depth,
  }),
  grid: (d, k) => groupsOf((d.pixels * d.depth) / 8, k),
  check: (d, k) => {
    if (k.CAT && (d.first === 0 || d.first >= d.depth))
      return { what: `the first of two inputs has ${d.first} of ${d.depth} channels`, fix: 'give channels to both' };
    return checkEights({ depth: d.depth, first: d.first });
  },
});
