import type { StepMetrics } from './trainer.ts';

/** A step whose loss, gradients or weights are NaN or infinite: nothing of it is kept, and training cannot go on from it. */
export class NonFiniteError extends Error {
  override readonly name = 'NonFiniteError';
  /** The step, counted from 1. */
  readonly step: number;
  /** The first tensor that is not finite, where it is known. */
  readonly tensor: string | undefined;
  readonly fix: string;
  /** Of the sound steps before it that were not read yet. */
  readonly metrics: readonly StepMetrics[];

  constructor(step: number, tensor: string | undefined, metrics: readonly StepMetrics[] = []) {
    const fix = 'go on from an earlier checkpoint with a lower learning rate';
    super(`step ${step} is not finite${tensor === undefined ? '' : `: ${tensor}`}. Fix: ${fix}`);
    this.step = step;
    this.tensor = tensor;
    this.fix = fix;
    this.metrics = metrics;
  }
}
