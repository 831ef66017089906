/** What every kernel of a convolution has, whatever its tile: what is fused, the numbers of its buffers, and which dims go together. */
import { type AllDims, flag, type KnobValue, oneOf, optional } from '../kernel/index.ts';
import type * as shaders from '../shaders.generated.ts';
import {
  type ConvSourceOptions,
  type ConvTile,
  checkSource,
  sourceKnobs,
  sourceOptions,
  sourceSizes,
} from './conv_tile.ts';

/** What a convolution computes, and what is fused. */
export interface ConvOptions extends ConvSourceOptions {
  /** The gradient of a convolution by what it reads: x is the gradient of its result. */
  transposed?: boolean;
  /** With `transposed`: the stride is above 1. */
  strided?: boolean;
  bias?: boolean;
  act?: 'none' | 'gelu' | 'gelu-erf' | 'silu' | 'relu' | 'sigmoid';
  /** Also write the value before the activation, for its backward. */
  pre?: boolean;
  /** Multiply by out_scale. */
  scaled?: boolean;
  /** Multiply by the slope of SiLU at out_scale before: back through a SiLU that was read. */
  slope?: boolean;
  /** Add residual_scale residual. */
  residual?: boolean;
  /** The tiling; see `chooseConv`. */
  tile?: ConvTile;
}

/** As lib act counts them. */
const ACTS = { none: 0, gelu: 1, silu: 2, relu: 3, 'gelu-erf': 4, sigmoid: 5 };

export const CHOOSE = 'choose the tile for this shape';

/** What follows the sums, checked. */
export const epilogueOptions = {
  bias: optional(flag),
  act: optional(oneOf('none', 'gelu', 'gelu-erf', 'silu', 'relu', 'sigmoid')),
  pre: optional(flag),
  scaled: optional(flag),
  slope: optional(flag),
  residual: optional(flag),
};

/** The knobs of it. */
export const epilogueKnobs = (o: Pick<ConvOptions, keyof typeof epilogueOptions>) => ({
  HAS_BIAS: o.bias ?? false,
  ACT: ACTS[o.act ?? 'none'],
  HAS_PRE: o.pre ?? false,
  SCALED: o.scaled ?? false,
  HAS_SLOPE: o.slope ?? false,
  HAS_RESIDUAL: o.residual ?? false,
});

/** What a convolution computes, checked, but its tiling. */
export const convOptions = {
  ...sourceOptions,
  transposed: optional(flag),
  strided: optional(flag),
  ...epilogueOptions,
};

/** The knobs of it. */
export const convKnobs = (o: Omit<ConvOptions, 'tile'>) => ({
  ...sourceKnobs(o),
  TRANSPOSED: o.transposed ?? false,
  STRIDED: o.strided ?? false,
  ...epilogueKnobs(o),
});

type Knobs = Record<string, KnobValue>;
type Dims = AllDims<shaders.Conv2dPlain>;
type WeightDims = AllDims<shaders.Conv2dBwdWeightPlain>;

/** Numbers of the buffers of a convolution. */
export function convSizesOf(d: Dims, k: Knobs) {
  const made = d.m * d.n * d.groups;
  return {
    ...sourceSizes(d, d.m, k),
    weight: (d.first_row + d.groups * d.n) * d.k,
    bias: d.groups * d.n,
    before: made,
    residual: made,
    out: made,
    pre: made,
  };
}

/** Numbers of the buffers of its gradient by the weight. */
export const convWeightSizesOf = (d: WeightDims, k: Knobs) => ({
  ...sourceSizes(d, d.k, k),
  dy: d.k * d.m * d.groups,
  dweight: Math.ceil(d.k / d.k_chunk) * d.groups * d.m * d.n,
});

/** What is wrong with the dims of a convolution. */
export function checkConv(d: Dims, k: Knobs) {
  if (k.TRANSPOSED && (d.stride !== 1) !== k.STRIDED)
    return {
      what: `stride is ${d.stride}`,
      fix: 'create the kernel with strided where, and only where, it is above 1',
    };
  if (k.VEC_N && d.n % 4 !== 0) return { what: `n is ${d.n}, but results are written as vectors of 4`, fix: CHOOSE };
  return checkSource(d, d.m, d.k, k);
}

/** What is wrong with the dims of its gradient by the weight. */
export function checkConvWeight(d: WeightDims, k: Knobs) {
  if (d.k_chunk === 0) return { what: 'k_chunk is 0', fix: 'give at least 1, or k for one part' };
  return checkSource(d, d.k, d.n, k);
}

export interface ConvWeightOptions extends ConvSourceOptions {
  /** The tiling; see `chooseConvWeight`. */
  tile?: ConvTile;
}
