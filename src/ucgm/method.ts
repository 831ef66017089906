import type { Tape } from '../autograd/tape.ts';
import type { Weights } from '../nn/network.ts';
import type { Tensor } from '../tensor/index.ts';
import type { LossPlace, ObjectiveResult, TrainingPasses } from './objective.ts';

/** One batch on the GPU. */
export interface BatchTensors {
  /** Data [B, C, H, W]. */
  readonly x: Tensor;
  /** Noise, as x. */
  readonly z: Tensor;
  /** Times f32 [B]. */
  readonly t: Tensor;
  /** Labels u32 [B], dropped ones already the null class. */
  readonly y: Tensor;
  /** The null class, u32 [B]. */
  readonly yNull: Tensor;
  /** What the passes are in training, of a network that is another function there. */
  readonly training?: TrainingPasses;
}

/** What a trainer asks of a method of training: the numbers of a step, and the loss with its backward. */
export interface Method {
  /** True when the method compares with a teacher. */
  readonly needsTeacher: boolean;
  /** True when the target is made of differences between passes at near times, so that rounding to f16 would be most of them. */
  readonly takesDifferences: boolean;
  /** The times t of step `step`, where the method draws its own; `usual` draws those by time_dist_ctrl, which others have. */
  times?(step: number, usual: () => Float64Array): Float64Array;
  /** Writes the per-sample numbers of step `step` at these times. */
  upload(times: ArrayLike<number>, step: number): void;
  /** Records the forward passes and the loss, its mean into `total[slot]`. Only `tape` is walked backward. */
  run(
    tape: Tape,
    inference: Tape,
    online: Weights,
    teacher: Weights | undefined,
    batch: BatchTensors,
    total: LossPlace,
  ): ObjectiveResult;
  free(): void;
}
