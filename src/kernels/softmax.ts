import { type Caps, defineKernel, flag, group, groupsOf, optional, tileSize, whole } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { rowSizes, withinGroup } from './row_tile.ts';

/** How a workgroup covers rows. */
export interface SoftmaxTile {
  /** Invocations a row, a power of two; 1 runs without barriers. */
  lanes: number;
  /** Rows a workgroup. */
  rows: number;
  /** Quads of numbers that an invocation holds where 4 quads lanes are at least the columns; 0 reads rows twice. Default 0. */
  quads?: number;
}

/** What a softmax kernel computes. */
export interface SoftmaxOptions {
  /** The logarithm of softmax. */
  log?: boolean;
  /** See `chooseSoftmax`. */
  tile?: SoftmaxTile;
}

/**
 * Lanes and rows of a workgroup for rows of this width, and what a lane holds in registers: the whole row up to 2048 columns.
 * One lane a row on CPU adapters (no barriers), which reads it twice.
 */
export function chooseSoftmax(cols: number, caps: Caps): Required<SoftmaxTile> {
  if (caps.software) return { lanes: 1, rows: 8, quads: 0 };
  const size = tileSize(caps);
  const lanes = Math.min(size, cols <= 128 ? 16 : cols <= 512 ? 64 : 256);
  const quads = Math.ceil(cols / (4 * lanes));
  return { lanes, rows: size / lanes, quads: quads <= 2 ? quads : 0 };
}

const tile = optional(group<SoftmaxTile>({ ...rowSizes, quads: optional(whole(0, 2)) }, withinGroup));

const options = group<SoftmaxOptions>({ log: optional(flag), tile });

interface Width {
  cols: number;
}

const chooseTile = (o: SoftmaxOptions | undefined, { cols }: Width, caps: Caps): SoftmaxOptions => ({
  ...o,
  tile: o?.tile ?? chooseSoftmax(cols, caps),
});

const softmaxKnobs = (o: SoftmaxOptions | undefined, caps: Caps) => ({
  LOG: o?.log ?? false,
  LANES: o?.tile?.lanes ?? (caps.software ? 1 : undefined),
  ROWS: o?.tile?.rows,
  QUADS: o?.tile?.quads,
});

function checkHeld(d: { cols: number }, k: { [knob: string]: unknown }) {
  const held = 4 * (k.QUADS as number) * (k.LANES as number);
  if (held === 0 || d.cols <= held) return undefined;
  return {
    what: `cols is ${d.cols}, but the variant holds rows of up to ${held}`,
    fix: 'choose the tile for this width, with chooseSoftmax',
  };
}

/** `y = softmax(scale x)` along rows, or its log. Buffers f32: x, y [rows, cols]. See shaders/softmax_fwd.wgsl. */
export const softmax = defineKernel({
  shader: shaders.softmax_fwd,
  options,
  choose: chooseTile,
  knobs: softmaxKnobs,
  sizes: (d) => ({ x: d.rows * d.cols, y: d.rows * d.cols }),
  grid: (d, k) => Math.ceil(d.rows / (k.ROWS as number)),
  check: checkHeld,
});

/** The gradient of `softmax` from its output. Buffers f32: y, dy, dx [rows, cols]. See shaders/softmax_bwd.wgsl. */
export const softmaxBackward = defineKernel({
  shader: shaders.softmax_bwd,
  options,
  choose: chooseTile,
  knobs: softmaxKnobs,
  sizes: (d) => ({ y: d.rows * d.cols, dy: d.rows * d.cols, dx: d.rows * d.cols }),
  grid: (d, k) => Math.ceil(d.rows / (k.ROWS as number)),
  check: checkHeld,
});

/** What cross entropy compares the logits with. */
export interface CrossEntropyOptions {
  /** Rows of weights, targets f32 [rows, cols], instead of a label a row. */
  soft?: boolean;
  /** Leave out the rows whose label is the dim ignore_index: loss and gradient 0. */
  ignore?: boolean;
}

const comparison = { soft: optional(flag), ignore: optional(flag) };

const together = (o: CrossEntropyOptions) =>
  o.soft && o.ignore ? { what: 'soft targets have no label to ignore', fix: 'give rows of zeros' } : undefined;

const comparisonKnobs = (o: CrossEntropyOptions | undefined) => ({
  LABELS: !(o?.soft ?? false),
  SOFT: o?.soft ?? false,
  IGNORES: o?.ignore ?? false,
});

function checkSmoothing(d: { cols: number; smoothing: number }) {
  if (d.cols === 0) return { what: 'cols is 0', fix: 'give logits of at least one class' };
  if (d.smoothing >= 0 && d.smoothing <= 1) return undefined;
  return { what: `smoothing is ${d.smoothing}`, fix: 'give a part from 0 to 1' };
}

export interface CrossEntropyForwardOptions extends CrossEntropyOptions {
  /** Write stats [rows, 2], which the backward needs. Default true. */
  stats?: boolean;
  /** See `chooseSoftmax`; quads take no part. */
  tile?: SoftmaxTile;
}

/**
 * Cross entropy of each row of logits with a label, or with soft targets, both smoothed over the classes by `smoothing` (0 for none).
 * A label that is no class makes its row's loss and gradient NaN. Buffers: f32 logits [rows, cols], loss [rows], stats [rows, 2];
 * labels u32 [rows], or targets f32 [rows, cols]. See shaders/cross_entropy_fwd.wgsl.
 */
export const crossEntropy = defineKernel({
  shader: shaders.cross_entropy_fwd,
  options: group<CrossEntropyForwardOptions>({ ...comparison, stats: optional(flag), tile }, together),
  choose: (o: CrossEntropyForwardOptions | undefined, { cols }: Width, caps) => ({
    ...o,
    tile: o?.tile ?? chooseSoftmax(cols, caps),
  }),
  knobs: (o: CrossEntropyForwardOptions | undefined, caps) => ({
    ...comparisonKnobs(o),
    HAS_STATS: o?.stats ?? true,
    LANES: o?.tile?.lanes ?? (caps.software ? 1 : undefined),
    ROWS: o?.tile?.rows,
  }),
  sizes: (d) => ({
    logits: d.rows * d.cols,
    labels: d.rows,
    targets: d.rows * d.cols,
    loss: d.rows,
    stats: d.rows * 2,
  }),
  grid: (d, k) => Math.ceil(d.rows / (k.ROWS as number)),
  check: checkSmoothing,
});

/**
 * The gradient of `crossEntropy` by the logits, `dlogits = (softmax - weights) dloss[row]`; targets get none. Buffers: f32 logits,
 * dlogits [rows, cols], stats [rows, 2] of the forward, dloss [rows]; labels or targets, and dims, as the forward's.
 * See shaders/cross_entropy_bwd.wgsl.
 */
export const crossEntropyBackward = defineKernel({
  shader: shaders.cross_entropy_bwd,
  options: group<CrossEntropyOptions>(comparison, together),
  knobs: comparisonKnobs,
  sizes: (d) => ({
    logits: d.rows * d.cols,
    labels: d.rows,
    targets: d.rows * d.cols,
    stats: d.rows * 2,
    dloss: d.rows,
    dlogits: d.rows * d.cols,
  }),
  grid: (d, k) => groupsOf(d.rows * d.cols, k, k.PER as number),
  check: checkSmoothing,
});
