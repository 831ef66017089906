import { NonFiniteError, stoppedByOther } from '../optim/non_finite.ts';
import type { StepMetrics } from '../optim/step_metrics.ts';
import { gatherTexts } from '../parallel/agree.ts';
import type { Communicator } from '../parallel/communicator.ts';

/** What a rank tells the others of its steps. */
interface Told {
  /** null is what is not finite: the norm of a step that mixed precision skipped. */
  readonly values: readonly (readonly [loss: number, gradNorm: number | null])[];
  /** The step that was not finite. */
  readonly failed: number | undefined;
}

/**
 * Metrics of steps that each rank took by itself: loss and norm are the means over all, each weighted by its share of the batch; the rest is this rank's.
 * Called on every rank after the same step.
 * @param read the metrics of this rank since the last call. @throws NonFiniteError, on all ranks, where a step of one was not finite.
 */
export async function meanMetrics(
  read: () => Promise<readonly StepMetrics[]>,
  ranks: Communicator,
  shares: ArrayLike<number>,
): Promise<StepMetrics[]> {
  let own: readonly StepMetrics[] = [];
  let failure: NonFiniteError | undefined;
  try {
    own = await read();
  } catch (error) {
    if (!(error instanceof NonFiniteError)) throw error;
    failure = error;
    own = error.metrics;
  }
  const told: Told = { values: own.map(({ loss, gradNorm }) => [loss, gradNorm]), failed: failure?.step };
  const all = (await gatherTexts(ranks, JSON.stringify(told))).map((text) => JSON.parse(text) as Told);
  const common = Math.min(...all.map(({ values }) => values.length)); // one that failed has fewer
  const mean = (step: number, which: 0 | 1) =>
    all.reduce((sum, { values }, rank) => sum + (shares[rank] as number) * (values[step]?.[which] ?? Number.NaN), 0);
  const means = own.slice(0, common).map((metrics, i) => ({ ...metrics, loss: mean(i, 0), gradNorm: mean(i, 1) }));
  const other = all.findIndex(({ failed }) => failed !== undefined);
  if (other < 0) return means;
  const step = own.at(-1)?.step ?? 0;
  if (!failure) throw stoppedByOther(step, means, `rank ${other}`);
  const { step: at = step, tensor } = failure;
  throw new NonFiniteError(failure.what, failure.fix, { step: at, tensor, metrics: means });
}
