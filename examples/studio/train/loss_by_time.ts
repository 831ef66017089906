import type { Point } from '../../../src/report/series.ts';
import type { SampleLosses } from '../../../src/ucgm/index.ts';

/** Parts of equal length that the time from data, 0, to noise, 1, is cut into. */
export const BUCKETS = 10;
/** Samples that one curve is of, at least: about a hundred a bucket. */
const SAMPLES = 100 * BUCKETS;

/** The mean loss of the samples of each bucket of time, over a stretch of the training. */
export interface LossByTime {
  readonly first: number;
  readonly last: number;
  /** The middle of each bucket, and its loss; null where no sample fell. */
  readonly points: readonly Point[];
}

/** Sorts the losses of samples by their time as the training goes: one curve after the other, each of fresh samples. */
export class LossesByTime {
  #stretch = emptyStretch();
  #before: LossByTime | undefined;

  /** Samples of a step. What is there to see then: the stretch so far, and the whole one before it. */
  add({ step, times, losses }: SampleLosses): void {
    if (this.#stretch.samples >= SAMPLES) {
      this.#before = curveOf(this.#stretch);
      this.#stretch = emptyStretch();
    }
    const stretch = this.#stretch;
    if (stretch.samples === 0) stretch.first = step;
    stretch.last = step;
    stretch.samples += losses.length;
    for (const [i, t] of times.entries()) {
      const bucket = Math.max(0, Math.min(BUCKETS - 1, Math.floor(t * BUCKETS)));
      stretch.sums[bucket] = (stretch.sums[bucket] as number) + (losses[i] as number);
      stretch.counts[bucket] = (stretch.counts[bucket] as number) + 1;
    }
  }

  /** The curves there are, the newest last. */
  get curves(): readonly LossByTime[] {
    const now = this.#stretch.samples > 0 ? [curveOf(this.#stretch)] : [];
    return this.#before ? [this.#before, ...now] : now;
  }
}

const zeros = () => new Array<number>(BUCKETS).fill(0);

const emptyStretch = () => ({ first: 0, last: 0, samples: 0, sums: zeros(), counts: zeros() });

function curveOf({ first, last, sums, counts }: ReturnType<typeof emptyStretch>): LossByTime {
  const points = sums.map((sum, i) => [(i + 0.5) / BUCKETS, counts[i] ? sum / (counts[i] as number) : null] as const);
  return { first, last, points };
}
