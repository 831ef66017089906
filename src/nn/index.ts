/**
 * What a network is written and trained with: the tape, its ops, weights, the learner, and what a network is to trainer and sampler.
 * @module ucgm-webgpu/nn
 */
export * from '../autograd/index.ts';
export { FixableError } from '../kernel/index.ts';
export type { Follower } from '../optim/follower.ts';
export { Learner, type SteadyStep, type StepBody, type StepPart } from '../optim/learner.ts';
export { LearnerError } from '../optim/learner_error.ts';
export type { Averager, LearnerOptions, StepControl } from '../optim/learner_options.ts';
export type { LocalStepsOptions } from '../optim/local_steps_options.ts';
export { NonFiniteError } from '../optim/non_finite.ts';
export type { OptimizerOptions } from '../optim/optimizer.ts';
export type { StepMetrics } from '../optim/step_metrics.ts';
export { bytesOf, type DType, type Held, Tensor, TensorError, Workspace, WorkspaceError } from '../tensor/index.ts';
export type {
  ConstantSpec,
  GuidanceInput,
  InitSpec,
  Module,
  Start,
  Training,
  VelocityNetwork,
  Weights,
} from './network.ts';
export { ropeTables, sincosPositions, stretchedRopeTables } from './tables.ts';
export { NetworkWeights, WeightStore } from './weights.ts';
export { copyWeights, type WeightsCopy } from './weights_copy.ts';
