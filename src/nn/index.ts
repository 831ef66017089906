/** What a network is written with: the tape, its ops, weights, and what a network is to the trainer and the sampler. */
export { activate, swiglu } from '../autograd/ops/activation.ts';
export {
  attention,
  attentionScores,
  type ScoreOptions,
  type SelfAttentionOptions,
  selfAttention,
} from '../autograd/ops/attention.ts';
export { concat } from '../autograd/ops/concat.ts';
export { conv2d, pool2d, unfold, type Window } from '../autograd/ops/convolution.ts';
export { embedding, timestepEmbedding } from '../autograd/ops/embedding.ts';
export {
  columnSums,
  type LinearOptions,
  linear,
  linearGatedResidual,
  type ModulationChunk,
} from '../autograd/ops/linear.ts';
export { matmul } from '../autograd/ops/matmul.ts';
export { type NormModulateOptions, normModulate } from '../autograd/ops/norm.ts';
export { type PatchOrder, patchify, unpatchify } from '../autograd/ops/patch.ts';
export { add, addPerSample, gatedResidual } from '../autograd/ops/residual.ts';
export {
  type CrossEntropyOpOptions,
  type CrossEntropyTarget,
  crossEntropy,
  logSoftmax,
  type SoftmaxOpOptions,
  softmax,
} from '../autograd/ops/softmax.ts';
export { stackRows } from '../autograd/ops/stack.ts';
export { type GradSink, type Node, Tape, TapeError } from '../autograd/tape.ts';
export { FixableError } from '../kernel/index.ts';
export { bytesOf, type DType, Tensor, TensorError, Workspace, WorkspaceError } from '../tensor/index.ts';
export type { ConstantSpec, InitSpec, Start, VelocityNetwork, Weights } from './network.ts';
export { ropeTables, sincosPositions, stretchedRopeTables } from './tables.ts';
export { NetworkWeights, WeightStore } from './weights.ts';
