import { STREAM, uniform01 } from '../rng/philox.ts';
import type { ObjectiveOptions } from './options.ts';

/** At which of its ends the way from t to s lies: both (t = 1, s = 0), the noise (t = 1) or the data (s = 0). */
export type TimeEnd = 'both' | 'noise' | 'data';

/** The ends that `time_ends` gives a sample, by its index in the whole batch; undefined where it keeps what it drew. */
export function timeEnd(
  { time_ends }: ObjectiveOptions,
  seed: number,
  step: number,
  sample: number,
): TimeEnd | undefined {
  if (!time_ends) return undefined;
  const [both, noise, data] = time_ends;
  const at = uniform01(seed, STREAM.timeEnd, step, 2 * sample);
  if (at < both) return 'both';
  if (at < both + noise) return 'noise';
  return at < both + noise + data ? 'data' : undefined;
}

/** A sample's t by `time_ends`: 1, or uniform where s is 0; else `drawn`. */
export function timeFrom(options: ObjectiveOptions, seed: number, step: number, sample: number, drawn: number): number {
  const end = timeEnd(options, seed, step, sample);
  if (end === undefined) return drawn;
  return end === 'data' ? 1 - inner(seed, step, sample) : 1;
}

/** Its s by `time_ends`, where s < t: 0, or uniform below t; undefined where it keeps what it drew. */
export function timeTo(
  options: ObjectiveOptions,
  seed: number,
  step: number,
  sample: number,
  t: number,
): number | undefined {
  const end = timeEnd(options, seed, step, sample);
  if (end === undefined) return undefined;
  return end === 'noise' ? t - t * inner(seed, step, sample) : 0;
}

/** The one time of a sample that its end leaves to be drawn. */
function inner(seed: number, step: number, sample: number): number {
  return uniform01(seed, STREAM.timeEnd, step, 2 * sample + 1);
}
