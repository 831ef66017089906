import { defineKernel, flag, group, groupsOf, type KnobValue, oneOf, optional } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { type ColumnOptions, columnLanes, columnTile, columnTiles } from './column_tile.ts';
import { checkFours, foursAlong, type Stored, stored, tilesOfFours, vecKnobs } from './vec_tile.ts';

/** Which nonlinearity. */
export interface ActivationOptions {
  /**
   * GELU in its tanh form or, gelu-erf, in its exact one, SiLU, ReLU (its slope at 0 is 0) or sigmoid. The tanh function is `unary`'s:
   * as an activation the word is used for GELU's tanh form too.
   */
  act: 'gelu' | 'gelu-erf' | 'silu' | 'relu' | 'sigmoid';
  /** How all of it is stored; default f32. */
  dtype?: Stored;
}

/** Which function of one number. */
export interface UnaryOptions {
  /** The hyperbolic tangent, or the error function. */
  fn: 'tanh' | 'erf';
  /** How all of it is stored; default f32. */
  dtype?: Stored;
}

const options = group<ActivationOptions>({
  act: oneOf('gelu', 'gelu-erf', 'silu', 'relu', 'sigmoid'),
  dtype: stored,
});
const unaryOptions = group<UnaryOptions>({ fn: oneOf('tanh', 'erf'), dtype: stored });

/** As lib act counts them. */
const ACTS = { gelu: 1, silu: 2, relu: 3, 'gelu-erf': 4, sigmoid: 5, tanh: 6, erf: 7 };

type Count = { count: number };

/** What the kernels of one function have in common: a number is an element. */
const pointwise = {
  forward: (d: Count) => ({ x: d.count, y: d.count }),
  backward: (d: Count) => ({ x: d.count, dy: d.count, dx: d.count }),
  grid: (d: Count, k: Record<string, KnobValue>) => groupsOf(d.count, k, k.PER as number),
};

/** `y = act(x)`, elementwise. Buffers of `dtype`: x, y [count]. See shaders/activation_fwd.wgsl. */
export const activation = defineKernel({
  shader: shaders.activation_fwd,
  options,
  knobs: (o: ActivationOptions) => ({ ACT: ACTS[o.act], Scalar: o.dtype }),
  sizes: pointwise.forward,
  grid: pointwise.grid,
});

/** `dx = dy act'(x)`, elementwise. Buffers of `dtype`: x, dy, dx [count]. See shaders/activation_bwd.wgsl. */
export const activationBackward = defineKernel({
  shader: shaders.activation_bwd,
  options,
  knobs: (o: ActivationOptions) => ({ ACT: ACTS[o.act], Scalar: o.dtype }),
  sizes: pointwise.backward,
  grid: pointwise.grid,
});

/** `y = fn(x)`, elementwise. Buffers of `dtype`: x, y [count]. See shaders/activation_fwd.wgsl. */
export const unary = defineKernel({
  shader: shaders.activation_fwd,
  name: 'unary',
  options: unaryOptions,
  knobs: (o: UnaryOptions) => ({ ACT: ACTS[o.fn], Scalar: o.dtype }),
  sizes: pointwise.forward,
  grid: pointwise.grid,
});

/** `dx = dy fn'(x)`, elementwise. Buffers of `dtype`: x, dy, dx [count]. See shaders/activation_bwd.wgsl. */
export const unaryBackward = defineKernel({
  shader: shaders.activation_bwd,
  name: 'unaryBackward',
  options: unaryOptions,
  knobs: (o: UnaryOptions) => ({ ACT: ACTS[o.fn], Scalar: o.dtype }),
  sizes: pointwise.backward,
  grid: pointwise.grid,
});

/** How rows of SwiGLU are read. */
export interface SwigluOptions {
  /** Rows are accessed as vectors of 4: hidden is a multiple of 4. Default by the shape; never on CPU adapters. */
  vec?: boolean;
  /** How all of it is stored; default f32. */
  dtype?: Stored;
}

const gated = {
  options: group<SwigluOptions>({ vec: optional(flag), dtype: stored }),
  ...foursAlong<SwigluOptions | undefined, 'hidden'>('hidden'),
  knobs: (o: SwigluOptions | undefined) => vecKnobs(o?.vec ?? false, o?.dtype),
  grid: (d: { rows: number; hidden: number }, k: Record<string, KnobValue>) => tilesOfFours(d.rows, d.hidden, k),
  check: (d: { hidden: number }, k: Record<string, KnobValue>) => checkFours('hidden', d.hidden, k),
};

/**
 * SwiGLU, `y = silu(x1) x2` with x12 = (x1, x2) in each row (Shazeer 2020). Buffers of `dtype`: x12 [rows, 2 hidden], y [rows, hidden].
 * See shaders/swiglu_fwd.wgsl.
 */
export const swiglu = defineKernel({
  shader: shaders.swiglu_fwd,
  ...gated,
  sizes: (d) => ({ x12: 2 * d.rows * d.hidden, y: d.rows * d.hidden }),
});

/** The gradient of `swiglu`. Buffers of `dtype`: x12, dx12 [rows, 2 hidden], dy [rows, hidden]. See shaders/swiglu_bwd.wgsl. */
export const swigluBackward = defineKernel({
  shader: shaders.swiglu_bwd,
  ...gated,
  sizes: (d) => ({ x12: 2 * d.rows * d.hidden, dy: d.rows * d.hidden, dx12: 2 * d.rows * d.hidden }),
});

/** How the columns of SwiGLU's gradient are summed. */
export interface SwigluSumsOptions extends ColumnOptions {
  /** How x12, dy and dx12 are stored; default f32. */
  dtype?: Stored;
}

/**
 * The gradient of `swiglu`, and the sums down its columns by chunks of rows, as a bias gradient needs them: `sums[chunk, c] = sum of
 * dx12[r, c]` over the chunk's rows. Buffers of `dtype`: x12, dx12 [rows, 2 hidden], dy [rows, hidden]; f32 sums
 * [ceil(rows/chunk_rows), 2 hidden]. See shaders/swiglu_bwd_sums.wgsl.
 */
export const swigluBackwardSums = defineKernel({
  shader: shaders.swiglu_bwd_sums,
  options: group<SwigluSumsOptions>({ tile: columnTile, vec: optional(flag), dtype: stored }),
  ...foursAlong<SwigluSumsOptions | undefined, 'hidden'>('hidden'),
  knobs: (o: SwigluSumsOptions | undefined, caps) => ({
    LANES: columnLanes('swiglu_bwd_sums', o ?? {}, caps),
    ...vecKnobs(o?.vec ?? false, o?.dtype),
  }),
  sizes: (d) => {
    const all = d.rows * d.hidden;
    return { x12: 2 * all, dy: all, dx12: 2 * all, sums: Math.ceil(d.rows / d.chunk_rows) * 2 * d.hidden };
  },
  grid: (d, k) => Math.ceil(d.rows / d.chunk_rows) * columnTiles(d.hidden, d.chunk_rows, k),
  check: (d, k) =>
    d.chunk_rows === 0
      ? { what: 'chunk_rows is 0', fix: 'give rows for one chunk of all' }
      : checkFours('hidden', d.hidden, k),
});

interface ImageRows {
  rows: number;
  cols: number;
  pixels: number;
}

const wholeImages = (d: ImageRows) =>
  d.pixels === 0 || d.cols === 0 || d.rows % d.pixels !== 0
    ? { what: `${d.rows} rows of ${d.cols} are no images of ${d.pixels} pixels`, fix: 'give whole images' }
    : undefined;

const scaledGrid = (d: ImageRows, k: Record<string, KnobValue>) => groupsOf(d.rows * d.cols, k, k.PER as number);

/**
 * `y = silu(x (1 + scale))`, a scale of each sample and channel. Buffers f32: x, y [rows, cols], images of `pixels` rows; scale
 * [rows / pixels, cols]. See shaders/scaled_silu_fwd.wgsl.
 */
export const scaledSilu = defineKernel({
  shader: shaders.scaled_silu_fwd,
  sizes: (d) => ({ x: d.rows * d.cols, scale: (d.rows / d.pixels) * d.cols, y: d.rows * d.cols }),
  grid: scaledGrid,
  check: wholeImages,
});

/** Its gradients; dscale [rows, cols] of each pixel, to be summed over a sample's. See shaders/scaled_silu_bwd.wgsl. */
export const scaledSiluBackward = defineKernel({
  shader: shaders.scaled_silu_bwd,
  sizes: (d) => {
    const all = d.rows * d.cols;
    return { x: all, scale: (d.rows / d.pixels) * d.cols, dy: all, dx: all, dscale: all };
  },
  grid: scaledGrid,
  check: wholeImages,
});
