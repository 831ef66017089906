import { FixableError } from '../kernel/index.ts';
import type { FlatBuffers } from '../tensor/index.ts';
import type { StepMetrics } from './step_metrics.ts';

/** Numbers that are not finite: a step that was not taken, weights or samples that are not kept. */
export class NonFiniteError extends FixableError {
  override readonly name = 'NonFiniteError';
  /** The first step that was not taken: weights, moments and averages are those of the step before. */
  readonly step: number | undefined;
  /** The first tensor that holds such a number, where it can be told. */
  readonly tensor: string | undefined;
  /** Metrics of the sound steps before it that were not read yet. */
  readonly metrics: readonly StepMetrics[];

  constructor(
    what: string,
    fix: string,
    about: {
      readonly step?: number;
      readonly tensor?: string | undefined;
      readonly metrics?: readonly StepMetrics[];
    } = {},
  ) {
    super(what, fix);
    this.step = about.step;
    this.tensor = about.tensor;
    this.metrics = about.metrics ?? [];
  }
}

/** True when every number is finite. */
export function allFinite(values: Float32Array): boolean {
  let zero = 0;
  for (let i = 0; i < values.length; i++) zero += (values[i] as number) * 0; // NaN and infinities make it NaN
  return zero === 0;
}

/** The first tensor by name that holds a number that is not finite. */
export function firstNonFinite(tensors: Iterable<readonly [string, Float32Array]>): string | undefined {
  for (const [name, values] of tensors) if (!allFinite(values)) return name;
  return undefined;
}

/** The first parameter of flat buffers that holds a number that is not finite. Waits for the GPU. */
export async function firstBadParameter(buffers: FlatBuffers): Promise<string | undefined> {
  return firstNonFinite(await buffers.read());
}

/** @throws NonFiniteError naming the first tensor that is not finite. */
export function refuseNonFinite(what: string, tensors: Iterable<readonly [string, Float32Array]>): void {
  const tensor = firstNonFinite(tensors);
  if (tensor !== undefined)
    throw new NonFiniteError(
      `${what} ${tensor} holds numbers that are not finite`,
      'go back to an earlier checkpoint',
      {
        tensor,
      },
    );
}

/** What is said where the local steps of another device are not finite. @param step the last of this one's, which is sound. */
export function stoppedByOther(
  step: number,
  metrics: readonly StepMetrics[],
  which = 'another device',
): NonFiniteError {
  return new NonFiniteError(
    `the local steps up to ${step} were not taken together: a step of ${which} was not finite`,
    'restore an earlier checkpoint, and lower the learning rate or set maxGradNorm',
    { step, metrics },
  );
}
