import { type Caps, defineKernel, flag, group, type KnobValue, optional, tileSize } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { type RowTile, rowTile } from './row_tile.ts';
import { type Stored, stored } from './vec_tile.ts';

export type { RowTile } from './row_tile.ts';

/** Numbers of a row that an invocation takes, as long as a workgroup has the lanes: rows are few and long, and one by one wait for memory. */
const EACH = 8;

/** The tile for rows of so many numbers. Pure. */
export function chooseWeightRows(cols: number, caps: Caps): RowTile {
  if (caps.software) return { lanes: 1, rows: 8 };
  const size = tileSize(caps);
  let lanes = Math.min(16, size);
  while (lanes < size && EACH * lanes < cols) lanes *= 2;
  return { lanes, rows: size / lanes };
}

const chooseTile = <O extends { tile?: RowTile }>(o: O | undefined, { cols }: { cols: number }, caps: Caps): O =>
  ({ ...o, tile: o?.tile ?? chooseWeightRows(cols, caps) }) as O;

export interface WeightNormOptions {
  /** Divide every row by eps + its root mean square, and multiply by scale. */
  normed?: boolean;
  /** As if the weights had been overwritten by what `forceWeights` makes of them before. */
  forced?: boolean;
  /** Multiply by gain [1], which is trained; with `normed`. */
  gain?: boolean;
  /** See `chooseWeightRows`. */
  tile?: RowTile;
}

const options = group<WeightNormOptions>(
  { normed: optional(flag), forced: optional(flag), gain: optional(flag), tile: rowTile },
  ({ normed, forced, gain }) =>
    (forced || gain) && !normed ? { what: 'forced or gain without normed', fix: 'set normed too' } : undefined,
);

const lanesOf = (o: { tile?: RowTile } | undefined, caps: Caps) =>
  o?.tile ? { LANES: o.tile.lanes, ROWS: o.tile.rows } : caps.software ? { LANES: 1, ROWS: 8 } : {};

const knobs = (o: WeightNormOptions | undefined, caps: Caps) => ({
  ...lanesOf(o, caps),
  NORMED: o?.normed ?? false,
  FORCED: o?.forced ?? false,
  HAS_GAIN: o?.gain ?? false,
});

interface RowDims {
  rows: number;
  cols: number;
  taps: number;
  interleave: number;
}

const rowGroups = (d: { rows: number }, k: Record<string, KnobValue>) => Math.ceil(d.rows / (k.ROWS as number));

function check(d: RowDims): { what: string; fix: string } | undefined {
  if (d.cols === 0 || d.taps === 0 || d.cols % d.taps !== 0)
    return { what: `a row of ${d.cols} is no channels of ${d.taps} taps`, fix: 'give a multiple of taps, at least 1' };
  if (d.interleave === 0 || d.rows % d.interleave !== 0)
    return { what: `interleave ${d.interleave} does not divide ${d.rows} rows`, fix: 'give 1, or a divisor of rows' };
  return undefined;
}

/**
 * Weights of a convolution as `conv2d` reads them, taps before channels, and as EDM2 normalises them. Buffers f32: weight [rows, depth,
 * taps], gain [1], out [rows, taps, depth], rms [rows] for the backward. Dims: cols is depth taps; row i n + j is row j rows / n + i of
 * out with interleave n. See shaders/weight_norm_fwd.wgsl.
 */
export const weightNorm = defineKernel({
  shader: shaders.weight_norm_fwd,
  choose: chooseTile<WeightNormOptions>,
  options,
  knobs,
  sizes: (d) => ({ weight: d.rows * d.cols, gain: 1, out: d.rows * d.cols, rms: d.rows }),
  grid: rowGroups,
  check,
});

/**
 * The gradient of `weightNorm`: of its rows by gain too, dgain [rows], to be added up. Buffers f32: weight, gain and rms as there, dout as
 * its out, dweight as weight. See shaders/weight_norm_bwd.wgsl.
 */
export const weightNormBackward = defineKernel({
  shader: shaders.weight_norm_bwd,
  choose: chooseTile<WeightNormOptions>,
  options,
  knobs,
  sizes: (d) => ({
    weight: d.rows * d.cols,
    gain: 1,
    rms: d.rows,
    dout: d.rows * d.cols,
    dweight: d.rows * d.cols,
    dgain: d.rows,
  }),
  grid: rowGroups,
  check,
});

export interface ForceWeightsOptions {
  /** Do nothing in a step that is held: clip [4] of `clipScale`. */
  guarded?: boolean;
  /** See `chooseWeightRows`. */
  tile?: RowTile;
}

/** Rows divided by eps + their root mean square, in place. Buffers f32: weight [rows, cols], clip [4]. See shaders/weight_force.wgsl. */
export const forceWeights = defineKernel({
  shader: shaders.weight_force,
  choose: chooseTile<ForceWeightsOptions>,
  options: group<ForceWeightsOptions>({ guarded: optional(flag), tile: rowTile }),
  knobs: (o: ForceWeightsOptions | undefined, caps) => ({ ...lanesOf(o, caps), GUARDED: o?.guarded ?? false }),
  sizes: (d) => ({ weight: d.rows * d.cols, clip: 4 }),
  grid: rowGroups,
  check: (d) => (d.cols === 0 ? { what: 'cols is 0', fix: 'give rows of at least one number' } : undefined),
});

/** Side of the squares that `exchange` turns. */
const SIDE = 16;

export interface ExchangeOptions {
  /** How out is stored; default f32. */
  outDtype?: Stored;
}

/** x f32 [groups, m, taps, n] -> out [groups, n, taps, m] of `outDtype`: what conv2d, transposed, reads. See shaders/exchange.wgsl. */
export const exchange = defineKernel({
  shader: shaders.exchange,
  options: group<ExchangeOptions>({ outDtype: stored }),
  knobs: (o: ExchangeOptions | undefined) => ({ OScalar: o?.outDtype ?? 'f32' }),
  sizes: (d) => ({ x: d.groups * d.m * d.taps * d.n, out: d.groups * d.m * d.taps * d.n }),
  grid: (d) => d.groups * d.taps * Math.ceil(d.m / SIDE) * Math.ceil(d.n / SIDE),
});
