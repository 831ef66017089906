import { type Caps, defineKernel, flag, group, oneOf, optional } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { byColumns, type ColumnTile, columnLanes, columnTile, columnTiles } from './column_tile.ts';
import {
  checkTile,
  chooseNormBackward,
  forShape,
  MOST_SUMMED,
  type NormShape,
  type NormTile,
  normTile,
  tileKnobs,
  withVectors,
} from './norm_tile.ts';
import { checkFours } from './vec_tile.ts';

export type { ColumnTile } from './column_tile.ts';

interface ModulationDims {
  rows: number;
  cols: number;
  mod_rows: number;
  mod_stride: number;
}

interface Wrong {
  what: string;
  fix: string;
}

const modulationSize = (d: ModulationDims) => Math.ceil(d.rows / d.mod_rows) * d.mod_stride;

function checkShape(d: ModulationDims): Wrong | undefined {
  if (d.cols === 0) return { what: 'cols is 0', fix: 'give rows of at least one column' };
  if (d.mod_rows === 0) {
    return { what: 'mod_rows is 0', fix: 'give the number of rows a modulation row serves (1 without modulation)' };
  }
  return undefined;
}

function checkColumns(d: ModulationDims, offset: number): Wrong | undefined {
  const last = offset + d.cols;
  if (last <= d.mod_stride) return undefined;
  return {
    what: `modulation columns end at ${last}, past mod_stride ${d.mod_stride}`,
    fix: 'keep offset + cols <= mod_stride',
  };
}

const kind = oneOf('layer', 'rms');

/** Which parts the forward had: the gradient by x runs back through them. */
export interface NormBackwardXOptions {
  kind: 'layer' | 'rms' | 'pixel';
  weight?: boolean;
  scale?: boolean;
  /** Add `prior`, a gradient of x from elsewhere: the sum at a residual connection, fused. */
  prior?: boolean;
  /** Invocations a row and rows a workgroup, and what they hold, as the forward's. */
  tile?: NormTile;
  /** As the forward's. */
  vecModulation?: boolean;
  /** How dy, x, prior and dx are stored; default f32. All else is f32. */
  dtype?: 'f32' | 'f16';
}

/**
 * The gradient of `norm` by x: `dx = prior + rstd (g - mean(g) - xhat mean(g xhat))`, g = dy (1 + scale) weight; mean(g) is
 * left out for RMSNorm. Buffers f32: dy, x, prior, dx [rows, cols]; stats [rows, 2] of the forward; weight [cols];
 * modulation [ceil(rows/mod_rows), mod_stride]. Dims without scale: mod_rows 1, mod_stride and scale_offset 0.
 * See shaders/norm_bwd_x.wgsl.
 */
export const normBackwardX = defineKernel({
  shader: shaders.norm_bwd_x,
  choose: (o: NormBackwardXOptions, shape: NormShape, caps) => forShape(o, shape, caps, 'backward'),
  options: group<NormBackwardXOptions>({
    kind: oneOf('layer', 'rms', 'pixel'),
    weight: optional(flag),
    scale: optional(flag),
    prior: optional(flag),
    dtype: optional(oneOf('f32', 'f16')),
    tile: normTile,
    vecModulation: optional(flag),
  }),
  knobs: (o: NormBackwardXOptions, caps) => ({
    ...tileKnobs(o),
    RMS: o.kind !== 'layer',
    PIXEL: o.kind === 'pixel',
    HAS_WEIGHT: o.weight ?? false,
    HAS_SCALE: o.scale ?? false,
    HAS_PRIOR: o.prior ?? false,
    LANES: o.tile?.lanes ?? (caps.software ? 1 : undefined),
    ROWS: o.tile?.rows,
  }),
  sizes: (d) => {
    const all = d.rows * d.cols;
    return { dy: all, x: all, stats: d.rows * 2, weight: d.cols, modulation: modulationSize(d), prior: all, dx: all };
  },
  grid: (d, k) => Math.ceil(d.rows / (k.ROWS as number)),
  check: (d, k) => checkShape(d) ?? (k.HAS_SCALE ? checkColumns(d, d.scale_offset) : undefined) ?? checkTile(d, k),
});

/** Which parts the forward had. */
export interface NormBackwardOptions {
  kind: 'layer' | 'rms';
  weight?: boolean;
  shift?: boolean;
  /** Add `prior`, a gradient of x from elsewhere. */
  prior?: boolean;
  /** `held` is 1 to 3. */
  tile?: NormTile;
  /** As the forward's. */
  vecModulation?: boolean;
  /** How dy, x, prior and dx are stored; default f32. All else is f32. */
  dtype?: 'f32' | 'f16';
}

/** Turns that a workgroup takes over the rows of a modulation row at most: of more, other workgroups would do some meanwhile. */
const MOST_TURNS = 4;

/** Whether `normBackward` serves a shape in one dispatch as fast as two do: rows of few columns, of which few share a modulation row. */
export function fusesNormBackward({ cols, mod_rows }: { cols: number; mod_rows: number }, caps: Caps): boolean {
  const tile = chooseNormBackward(cols, caps);
  return !caps.software && tile !== undefined && mod_rows <= MOST_TURNS * tile.rows;
}

/**
 * The gradients of `norm` with a scale, by x as `normBackwardX` has it, by scale and shift as `normBackwardModulation` has them, in one
 * reading of dy and x; of a forward without bias. Buffers f32: dy, x, prior, dx [rows, cols]; stats [rows, 2]; weight [cols]; modulation and
 * dmodulation [ceil(rows/mod_rows), mod_stride], ADDED to. Where it is the faster one says `fusesNormBackward`. See shaders/norm_bwd.wgsl.
 */
export const normBackward = defineKernel({
  shader: shaders.norm_bwd,
  choose: (o: NormBackwardOptions, shape: NormShape, caps) => {
    const tile = o.tile ?? chooseNormBackward(shape.cols, caps);
    return tile ? withVectors({ ...o, tile }, shape) : o;
  },
  options: group<NormBackwardOptions>({
    kind,
    weight: optional(flag),
    shift: optional(flag),
    prior: optional(flag),
    dtype: optional(oneOf('f32', 'f16')),
    tile: normTile,
    vecModulation: optional(flag),
  }),
  knobs: (o: NormBackwardOptions) => ({
    ...tileKnobs(o),
    HELD: o.tile?.held || 1,
    RMS: o.kind === 'rms',
    HAS_WEIGHT: o.weight ?? false,
    HAS_SHIFT: o.shift ?? false,
    HAS_PRIOR: o.prior ?? false,
    LANES: o.tile?.lanes,
    ROWS: o.tile?.rows,
  }),
  sizes: (d) => {
    const all = d.rows * d.cols;
    const modulation = modulationSize(d);
    return {
      ...{ dy: all, x: all, prior: all, dx: all, stats: d.rows * 2, weight: d.cols },
      ...{ modulation, dmodulation: modulation },
    };
  },
  grid: (d) => Math.ceil(d.rows / d.mod_rows),
  check: (d, k) => {
    const held = k.HELD as number;
    if (held > MOST_SUMMED)
      return {
        what: `tile.held is ${held}`,
        fix: `give ${MOST_SUMMED} at most, or normBackwardX and normBackwardModulation`,
      };
    return (
      checkShape(d) ??
      (k.HAS_SHIFT ? checkApart(d) : undefined) ??
      checkColumns(d, Math.max(d.scale_offset, d.shift_offset)) ??
      checkTile(d, k)
    );
  },
});

/** Columns of scale and shift must not overlap: both are added to. */
function checkApart(d: { cols: number; scale_offset: number; shift_offset: number }): Wrong | undefined {
  if (Math.abs(d.scale_offset - d.shift_offset) >= d.cols) return undefined;
  return {
    what: `columns of scale (from ${d.scale_offset}) and shift (from ${d.shift_offset}) overlap`,
    fix: `keep the offsets at least cols = ${d.cols} apart`,
  };
}

/** Which parts the forward had. */
export interface NormBackwardModulationOptions {
  /** Accepted so that the options of the three backwards agree; the stats already hold mean 0 for RMSNorm. */
  kind?: 'layer' | 'rms';
  weight?: boolean;
  bias?: boolean;
  scale?: boolean;
  shift?: boolean;
  tile?: ColumnTile;
  /** Rows are read as vectors of 4: cols is a multiple of 4. Default by the shape; never on CPU adapters. */
  vec?: boolean;
  /** How dy and x are stored; default f32. All else is f32. */
  dtype?: 'f32' | 'f16';
}

/**
 * The gradients of `norm` by scale and shift, summed over the rows that share them and ADDED into dmodulation, which the
 * caller zeroes: `dshift += sum dy`, `dscale += sum dy (xhat weight + bias)`. Buffers f32: dy, x [rows, cols]; stats [rows, 2];
 * weight, bias [cols]; dmodulation [ceil(rows/mod_rows), mod_stride]. See shaders/norm_bwd_modulation.wgsl.
 */
export const normBackwardModulation = defineKernel({
  shader: shaders.norm_bwd_modulation,
  ...byColumns<NormBackwardModulationOptions>(),
  options: group<NormBackwardModulationOptions>({
    kind: optional(kind),
    weight: optional(flag),
    bias: optional(flag),
    scale: optional(flag),
    shift: optional(flag),
    dtype: optional(oneOf('f32', 'f16')),
    tile: columnTile,
    vec: optional(flag),
  }),
  knobs: (o: NormBackwardModulationOptions, caps) => ({
    VEC: o.vec ?? false,
    Elem: o.vec ? `vec4<${o.dtype ?? 'f32'}>` : (o.dtype ?? 'f32'),
    Column: o.vec ? 'vec4f' : 'f32',
    Summed: o.vec ? 'mat2x4f' : 'vec2f',
    HAS_WEIGHT: o.weight ?? false,
    HAS_BIAS: o.bias ?? false,
    HAS_SCALE: o.scale ?? false,
    HAS_SHIFT: o.shift ?? false,
    LANES: columnLanes('norm_bwd_modulation', o, caps),
  }),
  sizes: (d) => ({
    dy: d.rows * d.cols,
    x: d.rows * d.cols,
    stats: d.rows * 2,
    weight: d.cols,
    bias: d.cols,
    dmodulation: modulationSize(d),
  }),
  grid: (d, k) => Math.ceil(d.rows / d.mod_rows) * columnTiles(d.cols, d.mod_rows, k),
  check: (d, k) => {
    if (!k.HAS_SCALE && !k.HAS_SHIFT) return { what: 'neither scale nor shift is asked for', fix: 'set one of them' };
    const overlap = k.HAS_SCALE && k.HAS_SHIFT ? checkApart(d) : undefined;
    if (overlap) return overlap;
    const last = Math.max(k.HAS_SCALE ? d.scale_offset : 0, k.HAS_SHIFT ? d.shift_offset : 0);
    return checkShape(d) ?? checkColumns(d, last) ?? checkFours('cols', d.cols, k);
  },
});

/** Which parts the forward had. */
export interface NormBackwardWeightOptions {
  /** Accepted so that the options of the three backwards agree; the stats already hold mean 0 for RMSNorm. */
  kind?: 'layer' | 'rms';
  /** Also write dbias_partial. */
  bias?: boolean;
  scale?: boolean;
  tile?: ColumnTile;
  /** How dy and x are stored; default f32. All else is f32. */
  dtype?: 'f32' | 'f16';
}

/**
 * The gradients of `norm` by weight and bias as partial sums over chunks of chunk_rows rows, which sumCols adds up:
 * `dweight = sum dy (1 + scale) xhat`, `dbias = sum dy (1 + scale)`. Buffers f32: dy, x [rows, cols]; stats [rows, 2];
 * modulation [ceil(rows/mod_rows), mod_stride]; dweight_partial, dbias_partial [ceil(rows/chunk_rows), cols].
 * See shaders/norm_bwd_weight.wgsl.
 */
export const normBackwardWeight = defineKernel({
  shader: shaders.norm_bwd_weight,
  options: group<NormBackwardWeightOptions>({
    kind: optional(kind),
    bias: optional(flag),
    scale: optional(flag),
    dtype: optional(oneOf('f32', 'f16')),
    tile: columnTile,
  }),
  knobs: (o: NormBackwardWeightOptions, caps) => ({
    Elem: o.dtype ?? 'f32',
    HAS_BIAS: o.bias ?? false,
    HAS_SCALE: o.scale ?? false,
    LANES: columnLanes('norm_bwd_weight', o, caps),
  }),
  sizes: (d) => {
    const all = d.rows * d.cols;
    const partial = Math.ceil(d.rows / d.chunk_rows) * d.cols;
    return {
      dy: all,
      x: all,
      stats: d.rows * 2,
      modulation: modulationSize(d),
      dweight_partial: partial,
      dbias_partial: partial,
    };
  },
  grid: (d, k) => Math.ceil(d.rows / d.chunk_rows) * columnTiles(d.cols, d.chunk_rows, k),
  check: (d, k) => {
    if (d.chunk_rows === 0)
      return { what: 'chunk_rows is 0', fix: 'use chooseChunk(rows, cols), or rows for one chunk' };
    return checkShape(d) ?? (k.HAS_SCALE ? checkColumns(d, d.scale_offset) : undefined);
  },
});
