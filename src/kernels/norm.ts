import { defineKernel, flag, group, oneOf, optional } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { anyNorm, checkTile, forShape, type NormShape, type NormTile, normTile, tileKnobs } from './norm_tile.ts';

export { chooseNorm, type NormShape, type NormTile } from './norm_tile.ts';

/** What a normalisation kernel computes. */
export interface NormOptions {
  /** pixel: divided by eps + the root mean square. */
  kind: 'layer' | 'rms' | 'pixel';
  /** Multiply by weight [cols]. */
  weight?: boolean;
  /** Add bias [cols]. */
  bias?: boolean;
  /** Multiply by (1 + scale), read from `modulation`. */
  scale?: boolean;
  /** Add shift, read from `modulation`. */
  shift?: boolean;
  /** Write stats [rows, 2] = (mean, rstd), which the backward needs. Default true. */
  stats?: boolean;
  /** Invocations a row and rows a workgroup, and what they hold; see `chooseNorm`. */
  tile?: NormTile;
  /** With a tile of `vec`: modulation is read as vectors of 4 too, its stride and offsets being multiples of 4. */
  vecModulation?: boolean;
  /** How x and y are stored; default f32. All else is f32. */
  dtype?: 'f32' | 'f16';
}

/**
 * LayerNorm / RMSNorm / pixel norm fused with weight, bias and adaLN modulation: `y = (xhat*weight + bias)*(1 + scale) + shift`.
 * Buffers f32: x, y [rows, cols]; stats [rows, 2]; weight, bias [cols]; modulation [ceil(rows/mod_rows), mod_stride].
 * Dims without modulation: mod_rows 1, mod_stride, scale_offset, shift_offset 0. See shaders/norm_fwd.wgsl.
 */
export const norm = defineKernel({
  shader: shaders.norm_fwd,
  choose: (o: NormOptions, shape: NormShape, caps) => forShape(o, shape, caps, 'forward'),
  unshaped: (o, caps) => (o.tile ? [] : [{ options: { ...o, tile: anyNorm(caps) }, when: () => true }]),
  options: group<NormOptions>({
    kind: oneOf('layer', 'rms', 'pixel'),
    weight: optional(flag),
    bias: optional(flag),
    scale: optional(flag),
    shift: optional(flag),
    stats: optional(flag),
    dtype: optional(oneOf('f32', 'f16')),
    tile: normTile,
    vecModulation: optional(flag),
  }),
  knobs: (o: NormOptions) => ({
    ...tileKnobs(o),
    RMS: o.kind !== 'layer',
    PIXEL: o.kind === 'pixel',
    HAS_WEIGHT: o.weight ?? false,
    HAS_BIAS: o.bias ?? false,
    HAS_SCALE: o.scale ?? false,
    HAS_SHIFT: o.shift ?? false,
    HAS_MOD: (o.scale ?? false) || (o.shift ?? false),
    HAS_STATS: o.stats ?? true,
    LANES: o.tile?.lanes,
    ROWS: o.tile?.rows,
  }),
  sizes: (d) => ({
    x: d.rows * d.cols,
    weight: d.cols,
    bias: d.cols,
    modulation: Math.ceil(d.rows / Math.max(1, d.mod_rows)) * d.mod_stride,
    y: d.rows * d.cols,
    stats: d.rows * 2,
  }),
  grid: (d, k) => Math.ceil(d.rows / (k.ROWS as number)),
  check: (d, k) => {
    if (d.cols === 0) return { what: 'cols is 0', fix: 'give rows of at least one column' };
    if (d.mod_rows === 0)
      return { what: 'mod_rows is 0', fix: 'give the number of rows a modulation row serves (1 without modulation)' };
    const last = Math.max(k.HAS_SCALE ? d.scale_offset : 0, k.HAS_SHIFT ? d.shift_offset : 0) + d.cols;
    if (k.HAS_MOD && last > d.mod_stride) {
      return {
        what: `modulation columns end at ${last}, past mod_stride ${d.mod_stride}`,
        fix: 'keep offset + cols <= mod_stride',
      };
    }
    return checkTile(d, k);
  },
});
