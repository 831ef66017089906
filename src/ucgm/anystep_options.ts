import { number, numbers, type OptionsOf, oneOf, optional } from '../kernel/index.ts';
import { OptionError } from './transport.ts';

/** How a goes from its first to its last value. */
export const SCHEDULES = ['exponential', 'sigmoid'] as const;
/** What s is. */
export const END_TIMES = ['drawn', 'zero'] as const;
/** How the guidance scale of a sample is drawn: evenly by its logarithm, or by itself. */
export const GUIDANCE_DRAWS = ['log', 'uniform'] as const;
/** Scales and intervals of guidance that are drawn where nothing else is said (improved MeanFlow, arXiv 2512.02012). */
export const GUIDANCE_DEFAULTS = { scales: [1, 8], from: [0, 0.5], to: [0.5, 1] } as const;
/** What becomes of the residual (u* - F) / a. */
export const RESIDUALS = ['plain', 'divided', 'clamped'] as const;

/** Options of method ANYSTEP; what t, s, a, F and u* are, anystep_coefficients.ts says. */
export interface AnyStepOptions {
  /** First and last a: the share of the way from t to s that goes along the velocity. */
  step_ratio?: readonly [first: number, last: number];
  /** How a goes from one to the other. Default exponential. */
  step_ratio_schedule?: (typeof SCHEDULES)[number];
  /** In how many steps; after them a stays. */
  step_ratio_steps?: number;
  /** Fraction of a batch with s = t. Default 0. */
  same_time_ratio?: number;
  /** Whether s of the others is drawn below t, or 0. Default drawn. */
  end_time?: (typeof END_TIMES)[number];
  /** Draws two sigmoids of normal numbers: t is the later, s the earlier. Without, t is by time_dist_ctrl and s uniform below it. */
  time_logit_normal?: readonly [mean: number, deviation: number];
  /**
   * Shares of a batch that are drawn at the ends of the times, where logit-normal ones are rare: t = 1 and s = 0 (the way of one step),
   * t = 1 and s uniform (the first of more steps), s = 0 and t uniform (the last; the first share's target rests on them). A sample
   * draws which by its own probability; the others keep what they drew. One with s = t (same_time_ratio, twins) takes t alone from it.
   */
  time_ends?: readonly [both: number, noise: number, data: number];
  /**
   * Of networks that take guidance as an input (`guidance_input` of the model): the scale w of each sample is drawn between these, and zeta
   * of its target is 1 - 1 / w in place of enhanced_ratio. Default [1, 8].
   */
  guidance_scales?: readonly [least: number, most: number];
  /** Default log. */
  guidance_draw?: (typeof GUIDANCE_DRAWS)[number];
  /** It acts between two times, drawn evenly between these, in place of enhanced_range. Default [0, 0.5] and [0.5, 1]. */
  guidance_from?: readonly [least: number, most: number];
  guidance_to?: readonly [least: number, most: number];
  /** F is regressed on u*, on F + (u* - F) / a, or on F and the latter clamped, as UCGM does. Default divided. */
  residual?: (typeof RESIDUALS)[number];
  /** Power p of the loss: the mean square, its gradient weighted by (mean square + loss_eps)^-p. Without, the loss is UCGM's. */
  loss_power?: number;
  /** Default 0.01. */
  loss_eps?: number;
  /** Shares of a batch that are the model's own samples of one step: to learn their velocity, and to sharpen them by it; see twins.ts. */
  twin_ratios?: readonly [learn: number, sharpen: number];
}

/** The same, declared. */
export const ANYSTEP_OPTIONS: OptionsOf<AnyStepOptions> = {
  step_ratio: optional(numbers(2)),
  step_ratio_schedule: optional(oneOf(...SCHEDULES)),
  step_ratio_steps: optional(number),
  same_time_ratio: optional(number),
  end_time: optional(oneOf(...END_TIMES)),
  time_logit_normal: optional(numbers(2)),
  time_ends: optional(numbers(3)),
  guidance_scales: optional(numbers(2)),
  guidance_draw: optional(oneOf(...GUIDANCE_DRAWS)),
  guidance_from: optional(numbers(2)),
  guidance_to: optional(numbers(2)),
  residual: optional(oneOf(...RESIDUALS)),
  loss_power: optional(number),
  loss_eps: optional(number),
  twin_ratios: optional(numbers(2)),
};

const KEYS = Object.keys(ANYSTEP_OPTIONS) as (keyof AnyStepOptions)[];

/** Options of every method that these go with. */
interface Beside {
  method?: string;
  weight_function: string | null;
  scaled_cbl_eps: number;
}

/** @throws OptionError for options that only method ANYSTEP has, where it is another; and for values of these out of range. */
export function validateAnyStep(o: AnyStepOptions & Beside): void {
  if (o.method !== 'ANYSTEP') {
    const key = KEYS.find((name) => o[name] !== undefined);
    if (key) throw new OptionError(`${o.method ?? 'UCGM'} has no ${key}`, `leave ${key} out, or set method to ANYSTEP`);
    if (o.weight_function === 'Ratio')
      throw new OptionError(`weight_function is Ratio for ${o.method ?? 'UCGM'}`, 'give Cosine or null');
    return;
  }
  const refuse = (wrong: boolean, what: string, fix: string) => {
    if (wrong) throw new OptionError(what, fix);
  };
  if (!o.step_ratio)
    throw new OptionError(
      'ANYSTEP has no step_ratio',
      'give two numbers up to 1, or start from the preset anystep-soflow',
    );
  refuse(
    !o.step_ratio.every((a) => a > 0 && a <= 1),
    `step_ratio is [${o.step_ratio}]`,
    'give two numbers above 0, up to 1',
  );
  refuse(
    o.step_ratio[0] !== o.step_ratio[1] && o.step_ratio_steps === undefined,
    `step_ratio goes from ${o.step_ratio[0]} to ${o.step_ratio[1]} in no number of steps`,
    'give step_ratio_steps, or two equal numbers',
  );
  const { step_ratio_steps: steps, same_time_ratio: same, loss_power: power, loss_eps: eps } = o;
  refuse(
    steps !== undefined && !(Number.isSafeInteger(steps) && steps >= 1),
    `step_ratio_steps is ${steps}`,
    'give a whole number of at least 1',
  );
  refuse(same !== undefined && !(same >= 0 && same <= 1), `same_time_ratio is ${same}`, 'give a number from 0 to 1');
  refuse(power !== undefined && !(power >= 0 && power <= 1), `loss_power is ${power}`, 'give a number from 0 to 1');
  refuse(eps !== undefined && !(eps > 0), `loss_eps is ${eps}`, 'give a positive number');
  refuse(eps !== undefined && !power, 'loss_eps has no use without a loss_power', 'give loss_power, or leave it out');
  refuse(
    power !== undefined && o.scaled_cbl_eps !== 0,
    'loss_power and scaled_cbl_eps name two losses',
    'set scaled_cbl_eps to 0, or leave loss_power out',
  );
  const { twin_ratios: twins = [0, 0] } = o;
  refuse(
    !(twins.every((ratio) => ratio >= 0) && twins[0] + twins[1] <= 1),
    `twin_ratios are [${twins}]`,
    'give two shares of the batch, together at most 1',
  );
  refuse(
    twins[1] > 0 && twins[0] === 0,
    `twin_ratios are [${twins}]: nothing learns the velocity that sharpens`,
    'give a first share above 0',
  );
  refuse(
    o.time_logit_normal !== undefined && !(o.time_logit_normal[1] > 0),
    `time_logit_normal is [${o.time_logit_normal}]`,
    'give a mean and a positive deviation',
  );
  refuse(
    o.time_logit_normal !== undefined && o.end_time === 'zero',
    'time_logit_normal draws both times, end_time is zero',
    'leave one of them out',
  );
  const { guidance_scales: scales = GUIDANCE_DEFAULTS.scales } = o;
  const { guidance_from: from = GUIDANCE_DEFAULTS.from, guidance_to: to = GUIDANCE_DEFAULTS.to } = o;
  refuse(
    !(scales[0] >= 1 && scales[0] <= scales[1]),
    `guidance_scales are [${scales}]`,
    'give two numbers of at least 1, the lesser first',
  );
  refuse(
    !(0 <= from[0] && from[0] <= from[1] && from[1] <= to[0] && to[0] <= to[1] && to[1] <= 1),
    `guidance_from is [${from}], guidance_to [${to}]`,
    'give four times in order, from 0 to 1',
  );
  const { time_ends: ends = [0, 0, 0] } = o;
  refuse(
    !(ends.every((share) => share >= 0) && ends[0] + ends[1] + ends[2] <= 1),
    `time_ends are [${ends}]`,
    'give three shares of the batch, together at most 1',
  );
  refuse(
    ends[1] > 0 && o.end_time === 'zero',
    `time_ends are [${ends}]: the second draws s, end_time is zero`,
    'set the second to 0, or end_time to drawn',
  );
}
