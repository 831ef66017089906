import { defineKernel, group, groupsOf, type KnobValue, oneOf } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

export interface ActivationOptions {
  /**
   * GELU in its tanh form or, gelu-erf, in its exact one, SiLU, ReLU (its slope at 0 is 0) or sigmoid. The tanh function is `unary`'s:
   * as an activation the word is used for GELU's tanh form too.
   */
  act: 'gelu' | 'gelu-erf' | 'silu' | 'relu' | 'sigmoid';
}

export interface UnaryOptions {
  /** The hyperbolic tangent, or the error function. */
  fn: 'tanh' | 'erf';
}

const options = group<ActivationOptions>({ act: oneOf('gelu', 'gelu-erf', 'silu', 'relu', 'sigmoid') });
const unaryOptions = group<UnaryOptions>({ fn: oneOf('tanh', 'erf') });

/** As lib act counts them. */
const ACTS = { gelu: 1, silu: 2, relu: 3, 'gelu-erf': 4, sigmoid: 5, tanh: 6, erf: 7 };

/** Workgroups of 64 columns and ROWS PER rows. */
const tilesOf = (rows: number, cols: number, k: Record<string, KnobValue>) =>
  Math.ceil(cols / 64) * Math.ceil(rows / ((k.ROWS as number) * (k.PER as number)));

/** `y = act(x)`, elementwise. Buffers f32: x, y [count]. See shaders/activation_fwd.wgsl. */
export const activation = defineKernel({
  shader: shaders.activation_fwd,
  options,
  knobs: (o: ActivationOptions) => ({ ACT: ACTS[o.act] }),
  sizes: (d) => ({ x: d.count, y: d.count }),
  grid: (d, k) => groupsOf(d.count, k, k.PER as number),
});

/** `dx = dy act'(x)`, elementwise. Buffers f32: x, dy, dx [count]. See shaders/activation_bwd.wgsl. */
export const activationBackward = defineKernel({
  shader: shaders.activation_bwd,
  options,
  knobs: (o: ActivationOptions) => ({ ACT: ACTS[o.act] }),
  sizes: (d) => ({ x: d.count, dy: d.count, dx: d.count }),
  grid: (d, k) => groupsOf(d.count, k, k.PER as number),
});

/** `y = fn(x)`, elementwise. Buffers f32: x, y [count]. See shaders/activation_fwd.wgsl. */
export const unary = defineKernel({
  shader: shaders.activation_fwd,
  name: 'unary',
  options: unaryOptions,
  knobs: (o: UnaryOptions) => ({ ACT: ACTS[o.fn] }),
  sizes: (d) => ({ x: d.count, y: d.count }),
  grid: (d, k) => groupsOf(d.count, k),
});

/** `dx = dy fn'(x)`, elementwise. Buffers f32: x, dy, dx [count]. See shaders/activation_bwd.wgsl. */
export const unaryBackward = defineKernel({
  shader: shaders.activation_bwd,
  name: 'unaryBackward',
  options: unaryOptions,
  knobs: (o: UnaryOptions) => ({ ACT: ACTS[o.fn] }),
  sizes: (d) => ({ x: d.count, dy: d.count, dx: d.count }),
  grid: (d, k) => groupsOf(d.count, k),
});

/**
 * SwiGLU, `y = silu(x1) x2` with x12 = (x1, x2) in each row (Shazeer 2020). Buffers f32: x12 [rows, 2 hidden], y [rows, hidden].
 * See shaders/swiglu_fwd.wgsl.
 */
export const swiglu = defineKernel({
  shader: shaders.swiglu_fwd,
  sizes: (d) => ({ x12: 2 * d.rows * d.hidden, y: d.rows * d.hidden }),
  grid: (d, k) => tilesOf(d.rows, d.hidden, k),
});

/** The gradient of `swiglu`. Buffers f32: x12, dx12 [rows, 2 hidden], dy [rows, hidden]. See shaders/swiglu_bwd.wgsl. */
export const swigluBackward = defineKernel({
  shader: shaders.swiglu_bwd,
  sizes: (d) => ({ x12: 2 * d.rows * d.hidden, dy: d.rows * d.hidden, dx12: 2 * d.rows * d.hidden }),
  grid: (d, k) => tilesOf(d.rows, d.hidden, k),
});
