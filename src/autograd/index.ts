/**
 * The ops, each a forward and its backward by our kernels, and the tape that they are recorded on.
 * @module ucgm-webgpu/ops
 */
export { activate, swiglu } from './ops/activation.ts';
export {
  attention,
  attentionScores,
  type ScoreOptions,
  type SelfAttentionOptions,
  selfAttention,
} from './ops/attention.ts';
export { concat } from './ops/concat.ts';
export { conv2d, pool2d, unfold, type Window } from './ops/convolution.ts';
export { embedding, timestepEmbedding } from './ops/embedding.ts';
export {
  columnSums,
  type LinearOptions,
  linear,
  linearGatedResidual,
  type ModulationChunk,
} from './ops/linear.ts';
export { squaredError } from './ops/loss.ts';
export { matmul } from './ops/matmul.ts';
export { type NormModulateOptions, normModulate } from './ops/norm.ts';
export { type PatchOrder, patchify, unpatchify } from './ops/patch.ts';
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
export { type GradSink, type Node, Tape, TapeError } from './tape.ts';
