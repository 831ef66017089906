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
async function firstBadParameter(buffers: FlatBuffers | undefined): Promise<string | undefined> {
  return buffers && firstNonFinite(await buffers.read());
}

/** What is said of a step that was not taken. Waits for the GPU. @param unread metrics of the steps before. @param scaled its loss was. */
export async function stepNotTaken(
  { step, loss, nonFinite }: StepMetrics,
  { values, gradients }: { readonly values: FlatBuffers; readonly gradients?: FlatBuffers | undefined },
  unread: readonly StepMetrics[],
  scaled: boolean,
): Promise<NonFiniteError> {
  const weight = await firstBadParameter(values);
  const gradient = weight ?? (await firstBadParameter(gradients));
  const where = weight
    ? `; the weights ${weight} are not`
    : gradient
      ? `; the gradient of ${gradient} is the first`
      : '';
  return new NonFiniteError(
    `step ${step} was not taken: loss ${loss}, ${nonFinite} gradients not finite${where}; the weights are those of step ${step - 1}`,
    `restore an earlier checkpoint, and lower the learning rate or set maxGradNorm${scaled ? ', or use precision f32' : ''}`,
    { step, tensor: gradient, metrics: unread },
  );
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
