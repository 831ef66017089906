import type { Tensor, Workspace } from '../tensor/index.ts';
import type { StepMetrics } from './step_metrics.ts';

/** Steps whose metrics are kept on the device until they are read. */
export const METRICS_KEPT = 128;
/** Numbers of a step: the loss, the first three of a loss scale, and the four of the clip. */
const RECORD = 8;

/** What one step measured, and whether it was held: not taken. */
export type LoggedStep = StepMetrics & { readonly held: boolean };

/** The numbers of the last steps in a ring on the device, to be read later without a wait in the step. */
export class StepLog {
  readonly #workspace: Workspace;
  readonly #ring: Tensor;

  constructor(workspace: Workspace) {
    this.#workspace = workspace;
    this.#ring = workspace.create('data', 'metrics', [METRICS_KEPT, RECORD]);
  }

  /** Records the keeping of step number `step`'s (from 0) loss [1], clip [4] and, where there is one, loss scale [4]. */
  record(step: number, loss: Tensor, clip: Tensor, lossScale?: Tensor): void {
    const { stream } = this.#workspace;
    const first = (step % METRICS_KEPT) * RECORD;
    stream.copy(loss, this.#ring.slice(first, 1));
    stream.copy(clip, this.#ring.slice(first + 4, 4));
    if (lossScale) stream.copy(lossScale.slice(0, 3), this.#ring.slice(first + 1, 3));
  }

  /** The numbers of steps `from` to before `to`, at most METRICS_KEPT of them. Waits for the GPU. */
  async read(from: number, to: number): Promise<LoggedStep[]> {
    const ring = await this.#workspace.read(this.#ring);
    return Array.from({ length: to - from }, (_, i) => {
      const at = ((from + i) % METRICS_KEPT) * RECORD;
      const [loss, lossScale, skips, skipped, gradNorm, nonFinite, holds] = [0, 1, 2, 3, 5, 6, 7].map(
        (k) => ring[at + k],
      ) as [number, number, number, number, number, number, number];
      const scaled = lossScale > 0 && { lossScale, skipped }; // 0 where there is none
      return { step: from + i + 1, loss, gradNorm, nonFinite, ...scaled, held: holds === 1 && skips !== 1 };
    });
  }

  free(): void {
    this.#workspace.free(this.#ring);
  }
}
