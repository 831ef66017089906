/** How the kernels of a norm, forward and backward, cover rows. */
import { type Caps, flag, group, type KnobValue, optional, tileSize, whole } from '../kernel/index.ts';
import { rowSizes, withinGroup } from './row_tile.ts';

/** How a workgroup covers rows. */
export interface NormTile {
  /** Invocations a row, a power of two; 1 runs without barriers. */
  lanes: number;
  /** Rows a workgroup. */
  rows: number;
  /** Quads of numbers that an invocation holds, where 4 held lanes are at least the columns; 0 reads rows again. Default 0. */
  held?: number;
  /** Rows are read as vectors of 4: the columns are a multiple of 4. Default false. */
  vec?: boolean;
}

/** Most quads that an invocation holds. */
const MOST_HELD = 8;
/** Quads that an invocation should hold at most, as long as a workgroup has the lanes: enough reads in flight, few registers. */
const HELD_AT_EASE = 5;
/** Of a forward pass up to 64 lanes a row: it waits for memory twice, and small workgroups wait for fewer. H100, 384 columns: 3% faster. */
const HELD_FORWARD = 2;

/**
 * Lanes and rows of a workgroup for rows of this width, and what a lane holds in registers: the whole row up to 8192 columns.
 * One lane a row on CPU adapters (no barriers), which reads it again. Workgroups of the forward pass have half the invocations: 5% faster
 * with 1152 columns on an H100.
 */
export function chooseNorm(cols: number, caps: Caps, pass: 'forward' | 'backward' = 'forward'): NormTile {
  if (caps.software) return { lanes: 1, rows: 8 };
  const size = tileSize(caps);
  const quads = Math.ceil(cols / 4);
  const ease = (lanes: number) => (pass === 'forward' && lanes < 64 ? HELD_FORWARD : HELD_AT_EASE);
  let lanes = Math.min(16, size);
  while (lanes < size && quads > ease(lanes) * lanes) lanes *= 2;
  const held = Math.ceil(quads / lanes);
  const rows = Math.max(1, size / lanes / (pass === 'forward' ? 2 : 1));
  return held > MOST_HELD ? { lanes, rows } : { lanes, rows, held, vec: cols % 4 === 0 };
}

/** Most quads of a row, and of sums down columns, that an invocation of `normBackward` holds. */
export const MOST_SUMMED = 3;

/** Likewise of `normBackward`, which holds rows on every adapter; undefined for more columns than a workgroup holds. Pure. */
export function chooseNormBackward(cols: number, caps: Caps): (NormTile & { held: number }) | undefined {
  const size = tileSize(caps);
  const quads = Math.ceil(cols / 4);
  let lanes = Math.min(16, size);
  while (lanes < size && quads > MOST_SUMMED * lanes) lanes *= 2;
  const held = Math.ceil(quads / lanes);
  return held > MOST_SUMMED ? undefined : { lanes, rows: size / lanes, held, vec: cols % 4 === 0 };
}

/** What serves rows of any width. */
export function anyNorm(caps: Caps): NormTile {
  const { lanes, rows } = chooseNorm(512, caps);
  return { lanes, rows };
}

/** The option `tile` of these kernels. */
export const normTile = optional(
  group<NormTile>(
    { ...rowSizes, held: optional(whole(0, MOST_HELD)), vec: optional(flag) },
    (tile) =>
      withinGroup(tile) ??
      (tile.vec && !tile.held ? { what: 'tile.vec without tile.held', fix: 'give held, from 1 to 8' } : undefined),
  ),
);

/** The dims of a modulation that choose how it is read; those left out are 0. */
export interface NormShape {
  cols: number;
  mod_stride?: number;
  scale_offset?: number;
  shift_offset?: number;
}

/** The options with their tile for a shape. */
export function forShape<O extends { tile?: NormTile; vecModulation?: boolean }>(
  o: O,
  shape: NormShape,
  caps: Caps,
  pass: 'forward' | 'backward',
): O {
  return o.tile ? o : withVectors({ ...o, tile: chooseNorm(shape.cols, caps, pass) }, shape);
}

/** Options whose modulation is read by vectors where tile and shape allow it, unless they say how. */
export function withVectors<O extends { tile?: NormTile; vecModulation?: boolean }>(o: O, shape: NormShape): O {
  const { mod_stride = 0, scale_offset = 0, shift_offset = 0 } = shape;
  const aligned = [mod_stride, scale_offset, shift_offset].every((n) => n % 4 === 0);
  return o.tile?.vec && aligned && o.vecModulation === undefined ? { ...o, vecModulation: true } : o;
}

/** The knobs that both directions have for their tile. */
export function tileKnobs(o: { tile?: NormTile; vecModulation?: boolean; dtype?: 'f32' | 'f16' }) {
  const scalar = o.dtype ?? 'f32';
  const vec = o.tile?.vec ?? false;
  const vecMod = vec && (o.vecModulation ?? false);
  return {
    HELD: o.tile?.held,
    VEC: vec,
    VEC_MOD: vecMod,
    Scalar: scalar,
    Elem: vec ? `vec4<${scalar}>` : scalar,
    OElem: vec ? `vec4<${scalar}>` : `array<${scalar}, 1>`,
    Column: vec ? 'vec4f' : 'f32',
    Mod: vecMod ? 'vec4f' : 'f32',
  };
}

/** What of a shape the tile does not allow. */
export function checkTile(
  d: { cols: number; mod_stride: number; scale_offset: number; shift_offset?: number },
  k: Record<string, KnobValue>,
): { what: string; fix: string } | undefined {
  const held = 4 * (k.HELD as number) * (k.LANES as number);
  const fix = 'choose the tile for this shape: give it when the kernel is created, or chooseNorm';
  if (held > 0 && d.cols > held) return { what: `cols is ${d.cols}, but the variant holds rows of up to ${held}`, fix };
  if (k.VEC && d.cols % 4 !== 0) return { what: `cols is ${d.cols}, but rows are read as vectors of 4`, fix };
  const starts = [d.mod_stride, d.scale_offset, d.shift_offset ?? 0];
  if (k.VEC_MOD && starts.some((n) => n % 4 !== 0))
    return { what: `modulation is read as vectors of 4, but its stride and offsets are ${starts.join(', ')}`, fix };
  return undefined;
}
