import { exp, power } from '../rng/elementary.ts';
import { normal, STREAM, uniform01 } from '../rng/philox.ts';
import type { DrawnGuidance } from './drawn_guidance.ts';
import type { ObjectiveOptions } from './options.ts';
import { timeTo } from './time_ends.ts';
import { cosineWeight, QUARTER_TURN } from './transport.ts';

/** Least time whose sine divides, as in consistency.ts. */
const LEAST_TIME = 1e-4;
/** How steep the sigmoid schedule of a is, of its whole length (alpha-Flow). */
const STEEPNESS = 25;

/** Where the numbers of a sample lie in its row. */
export const ROW = { path: 0, velocity: 2, between: 6, target: 8, stride: 12 } as const;

/** Per-sample numbers of a step of any-step training, from the times t and s <= t. */
export interface AnyStepCoefficients {
  /**
   * [B, ROW.stride]: x_t = [0] x + [1] z; vg = [2] x + [3] z + [4] F-(y) + [5] F-(null); x_l = [6] x_t + [7] vg; the target, or with a
   * clamped residual what is clamped, [8] F + [9] vg + [10] F-(x_l, l, s); and [11], the factor of the clamped residual.
   */
  readonly rows: Float32Array<ArrayBuffer>;
  /** [B] each: t - s, l, and l - s. */
  readonly span: Float32Array<ArrayBuffer>;
  readonly between: Float32Array<ArrayBuffer>;
  readonly rest: Float32Array<ArrayBuffer>;
  /** [B]: weight of each sample's loss. */
  readonly weight: Float32Array<ArrayBuffer>;
}

/**
 * The any-step target, in f64: F(x_t, t, s) is the mean velocity from t to s. A share a of the way, to l = t - a (t - s), goes along the
 * guided velocity vg, the rest along F-, the network without gradient: u* = a vg + (1 - a) F-(x_l, l, s), and the residual
 * delta = (u* - F) / a. F is regressed on u*, on F + delta, or on F + 4 t / sin(1.57 t) clamp(delta, -1, 1), which at s = 0 and
 * a = 1 - lambda is UCGM's target. Where s = t, a is 1 and u* is vg: flow matching. Sources: alpha-Flow (arXiv 2510.20771, u*),
 * SoFlow (arXiv 2512.15657, delta).
 * @param a share of the way, where s < t.
 * @param guidance of each sample, where the network takes it: in place of the options'.
 */
export function anyStepCoefficients(
  options: ObjectiveOptions,
  a: number,
  times: ArrayLike<number>,
  ends: ArrayLike<number>,
  guidance?: DrawnGuidance,
): AnyStepCoefficients {
  const batch = times.length;
  const { residual = 'divided', weight_function } = options;
  const rows = new Float32Array(batch * ROW.stride);
  const [span, between, rest, weight] = [0, 1, 2, 3].map(() => new Float32Array(batch)) as [
    Float32Array<ArrayBuffer>,
    Float32Array<ArrayBuffer>,
    Float32Array<ArrayBuffer>,
    Float32Array<ArrayBuffer>,
  ];
  for (let b = 0; b < batch; b++) {
    const [t, s] = [times[b] as number, ends[b] as number];
    const share = s < t ? a : 1;
    const l = t - share * (t - s);
    const zeta = zetaOf(options, t, b, guidance);
    const apart = (1 - share) / share; // 1/a - 1: F's and F-'s parts of delta, which are equal but for vg
    const target = {
      plain: [0, share, 1 - share],
      divided: [-apart, 1, apart],
      clamped: [-1 / share, 1, apart],
    }[residual];
    const floored = Math.max(LEAST_TIME, t);
    const factor = (4 * floored) / Math.sin(QUARTER_TURN * floored);
    rows.set([1 - t, t, -1, 1, zeta, -zeta, 1, l - t, ...target, factor], b * ROW.stride);
    span[b] = t - s;
    between[b] = l;
    rest[b] = l - s;
    weight[b] = weight_function === 'Ratio' ? share : weight_function === 'Cosine' ? cosineWeight(t) : 1;
  }
  return { rows, span, between, rest, weight };
}

/** How far a sample's velocity is guided at its time; a range up to 1 has the noise end itself. */
function zetaOf(options: ObjectiveOptions, t: number, b: number, guidance: DrawnGuidance | undefined): number {
  const [lo, hi] = guidance ? [guidance.from[b] as number, guidance.to[b] as number] : options.enhanced_range;
  if (!(t > lo && (t < hi || hi === 1))) return 0;
  return guidance ? (guidance.strength[b] as number) : options.enhanced_ratio;
}

/** a at a step, from `step_ratio[0]` at step 0 to `step_ratio[1]` at `step_ratio_steps` and after; in f64, the same in every engine. */
export function stepRatio(options: ObjectiveOptions, step: number): number {
  const [first, last] = options.step_ratio as readonly [number, number];
  if (first === last) return first;
  const done = Math.min(1, step / (options.step_ratio_steps as number));
  if (options.step_ratio_schedule === 'sigmoid') return last + (first - last) / (1 + exp(STEEPNESS * (done - 0.5)));
  return done === 1 ? last : first * power(last / first, done);
}

/** Times t of a step whose two times are logit-normal: the later one of two draws. `first` is the first sample's index in the whole batch. */
export function logitNormalTimes(options: ObjectiveOptions, seed: number, step: number, first: number, size: number) {
  return Float64Array.from({ length: size }, (_, b) => Math.max(...twoTimes(options, seed, step, first + b)));
}

/** The times s of a step: t itself for same_time_ratio of the batch, spread evenly over it; of the others what time_ends gives, 0, or a drawn one up to t. */
export function endTimes(
  options: ObjectiveOptions,
  seed: number,
  step: number,
  first: number,
  times: ArrayLike<number>,
): Float64Array<ArrayBuffer> {
  const ratio = options.same_time_ratio ?? 0;
  return Float64Array.from(times, (t, b) => {
    const sample = first + b;
    if (Math.floor((sample + 1) * ratio) > Math.floor(sample * ratio)) return t;
    const end = timeTo(options, seed, step, sample, t);
    if (end !== undefined) return end;
    if (options.end_time === 'zero') return 0;
    if (options.time_logit_normal) return Math.min(t, ...twoTimes(options, seed, step, sample));
    return t - t * uniform01(seed, STREAM.time, step, sample);
  });
}

function twoTimes({ time_logit_normal }: ObjectiveOptions, seed: number, step: number, sample: number) {
  const [mean, deviation] = time_logit_normal as readonly [number, number];
  const draw = (i: number) => 1 / (1 + exp(-mean - deviation * normal(seed, STREAM.time, step, 2 * sample + i)));
  return [draw(0), draw(1)] as const;
}
