/**
 * The trainer, the sampler and the networks. The kernels alone: `ucgm-webgpu/kernels`; a device in Node: `ucgm-webgpu/node`.
 * @module ucgm-webgpu
 */

export { Tape, TapeError } from './autograd/tape.ts';
export {
  adapterName,
  DeviceError,
  DeviceLostError,
  type DeviceOptions,
  readBuffer,
  requestDevice,
} from './device/index.ts';
export { FixableError, KernelError } from './kernel/index.ts';
export { type DiTConfig, ModelError } from './models/config.ts';
export { createNetwork, type ModelConfig, namedModel } from './models/registry.ts';
export type { InitSpec, VelocityNetwork, Weights } from './nn/network.ts';
export { WeightStore } from './nn/weights.ts';
export { NonFiniteError } from './optim/non_finite.ts';
export type { OptimizerOptions } from './optim/optimizer.ts';
export type { StepMetrics } from './optim/step_metrics.ts';
export { normal, STREAM, uniform01 } from './rng/philox.ts';
export type { Shard } from './rng/shard.ts';
export { BufferLimitError, Tensor, TensorError, Workspace, WorkspaceError } from './tensor/index.ts';
export type { Batch } from './ucgm/batch.ts';
export { groupOf, type HostTensor, restoreTrainer, type TrainerState, trainerState } from './ucgm/checkpoint.ts';
export { OBJECTIVE_DEFAULTS, type ObjectiveOptions } from './ucgm/options.ts';
export { type SampleControl, type SampleRequest, type SampleResult, sample } from './ucgm/sampler.ts';
export { SAMPLING_DEFAULTS, type SamplingOptions } from './ucgm/schedule.ts';
export { type StepControl, Trainer, type TrainerOptions } from './ucgm/trainer.ts';
export { OptionError, TRANSPORTS, type Transport, type TransportName } from './ucgm/transport.ts';
