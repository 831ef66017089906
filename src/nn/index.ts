/** What a network is written and trained with: the tape, its ops, weights, the learner, and what a network is to trainer and sampler. */
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
export { squaredError } from '../autograd/ops/loss.ts';
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
export { type Follower, Learner, type SteadyStep, type StepBody } from '../optim/learner.ts';
export { LearnerError } from '../optim/learner_error.ts';
export type { LearnerOptions, StepControl } from '../optim/learner_options.ts';
export { NonFiniteError } from '../optim/non_finite.ts';
export type { OptimizerOptions } from '../optim/optimizer.ts';
export type { StepMetrics } from '../optim/step_metrics.ts';
export { bytesOf, type DType, Tensor, TensorError, Workspace, WorkspaceError } from '../tensor/index.ts';
export type { ConstantSpec, InitSpec, Module, Start, VelocityNetwork, Weights } from './network.ts';
export { ropeTables, sincosPositions, stretchedRopeTables } from './tables.ts';
export { NetworkWeights, WeightStore } from './weights.ts';
export { copyWeights, type WeightsCopy } from './weights_copy.ts';
