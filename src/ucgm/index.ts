/**
 * Unified continuous generative models: transports, the objective, the trainer and the sampler. They see a network, never a model.
 * @module ucgm-webgpu/ucgm
 */
export { FixableError } from '../kernel/errors.ts';
export { NonFiniteError } from '../optim/non_finite.ts';
export type { OptimizerOptions } from '../optim/optimizer.ts';
export type { StepMetrics } from '../optim/step_metrics.ts';
export { normal, STREAM, uniform01 } from '../rng/philox.ts';
export type { Shard } from '../rng/shard.ts';
export type { Batch } from './batch.ts';
export { groupOf, type HostTensor, restoreTrainer, type TrainerState, trainerState } from './checkpoint.ts';
export { ENHANCED_STYLES, type EnhancedStyle, OBJECTIVE_DEFAULTS, type ObjectiveOptions } from './options.ts';
export { type SampleControl, type SampleRequest, type SampleResult, sample } from './sampler.ts';
export { SAMPLING_DEFAULTS, type SamplingOptions, timeGrid } from './schedule.ts';
export { type HostParameters, type SampleLosses, type StepControl, Trainer, type TrainerOptions } from './trainer.ts';
export { OptionError, TRANSPORTS, type Transport, type TransportName, transportNamed } from './transport.ts';
