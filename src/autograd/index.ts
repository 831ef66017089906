/**
 * The ops, each a forward and its backward by our kernels, and the tape that they are recorded on.
 * @module ucgm-webgpu/ops
 */

export { type PassPrecision, PRECISIONS, PrecisionError } from '../tensor/index.ts';
export { activate, scaledSilu, swiglu } from './ops/activation.ts';
export {
  attention,
  attentionScores,
  type ScoreOptions,
  type SelfAttentionOptions,
  selfAttention,
} from './ops/attention.ts';
export { cast } from './ops/cast.ts';
export { channelsFirst, channelsLast } from './ops/channels_last.ts';
export { clamp, combine, scale } from './ops/combine.ts';
export { concat } from './ops/concat.ts';
export {
  type ConvolutionOptions,
  conv2d,
  type EvenWindow,
  pool2d,
  unfold,
  type Window,
} from './ops/convolution.ts';
export { type DropoutDraw, dropout } from './ops/dropout.ts';
export { embedding, labelMix, timestepEmbedding, type WaveOptions, waveEmbedding } from './ops/embedding.ts';
export { type GroupNormOptions, groupNorm, groupNormBy, groupStatistics } from './ops/group_norm.ts';
export {
  type LinearOptions,
  linear,
  linearGatedResidual,
  linearSwiglu,
  type ModulationChunk,
} from './ops/linear.ts';
export { linearAttention, linearAttentionOf } from './ops/linear_attention.ts';
export { squaredError } from './ops/loss.ts';
export { matmul } from './ops/matmul.ts';
export { type NormModulateOptions, normModulate } from './ops/norm.ts';
export { type PatchOrder, patchify, unpatchify } from './ops/patch.ts';
export { pixelShuffle, pixelUnshuffle } from './ops/pixel_shuffle.ts';
export { columnSums } from './ops/product.ts';
export { resample } from './ops/resample.ts';
export { add, addPerSample, gatedResidual } from './ops/residual.ts';
export {
  type CrossEntropyOpOptions,
  type CrossEntropyTarget,
  crossEntropy,
  logSoftmax,
  type SoftmaxOpOptions,
  softmax,
} from './ops/softmax.ts';
export { stackRows } from './ops/stack.ts';
export { type ConvWeightOptions, convWeight, forceRows } from './ops/weight_norm.ts';
export { type WideAttentionOptions, wideAttention, wideAttentionOf } from './ops/wide_attention.ts';
export { type GradSink, type Node, Tape, TapeError } from './tape.ts';
