import { flag, group, number, numbers, oneOf, optional, text } from '../kernel/index.ts';
import type { Shard } from '../rng/shard.ts';
import { ANYSTEP_OPTIONS, type AnyStepOptions, validateAnyStep } from './anystep_options.ts';
import { OptionError, refuseWrong, transportNamed } from './transport.ts';

/** What zeta compares, see enhancement.ts. `auto` is the reference's choice. */
export type EnhancedStyle = 'auto' | 'ft-vs-fe' | 'fc-vs-xz' | 'fc-vs-fe';

/** Every way of comparing the guided velocity; `auto` takes the one that the loss asks for. */
export const ENHANCED_STYLES: readonly EnhancedStyle[] = ['auto', 'ft-vs-fe', 'fc-vs-xz', 'fc-vs-fe'];

/** Options of UCGM-T; names are the reference's keys. */
export interface ObjectiveOptions extends AnyStepOptions {
  transport_type: string;
  /** lambda: 0 multi-step, 1 consistency. */
  consistc_ratio: number;
  /** lambda at the first step, from which it goes to consistc_ratio in consistc_steps. The steps are few-step ones from the first on. */
  consistc_start?: number;
  consistc_steps?: number;
  /** zeta: strength of the enhanced target; 0 turns it off. */
  enhanced_ratio: number;
  /** What zeta compares. Default auto. */
  enhanced_style?: EnhancedStyle;
  /** c of the pseudo-Huber loss; 0 is the RMSE. */
  scaled_cbl_eps: number;
  /** The teacher: 0 the online weights, 1 a frozen copy, between an average with its own decay ramp. */
  ema_decay_rate: number;
  /** Times lo < t < hi at which the target is enhanced. */
  enhanced_range: readonly [lo: number, hi: number];
  /** t ~ clamp(th3 Beta(th1, th2)). */
  time_dist_ctrl: readonly [th1: number, th2: number, th3: number];
  wt_cosine_loss: boolean;
  /** Weight of a sample's loss: cos(1.57 t), or for ANYSTEP a. */
  weight_function: 'Cosine' | 'Ratio' | null;
  /** Fraction of the labels of a batch that become the null class. */
  lab_drop_ratio: number;
  /** UCGM-T, or for networks of two times: its any-step successor RCGM, or the family ANYSTEP, see anystep_coefficients.ts. Default UCGM. */
  method?: (typeof METHODS)[number];
  /** N of RCGM: steps in which the teacher is rolled. Default 2. */
  order?: number;
  /** 'reference': the reference's oddities that change numbers, see docs/ucgm-parity.md. */
  compat?: 'reference';
}

/** Every method of training. */
export const METHODS = ['UCGM', 'RCGM', 'ANYSTEP'] as const;

export const OBJECTIVE_DEFAULTS: ObjectiveOptions = {
  transport_type: 'Linear',
  consistc_ratio: 0,
  enhanced_ratio: 0,
  scaled_cbl_eps: 0,
  ema_decay_rate: 0.999,
  enhanced_range: [0, 0.75],
  time_dist_ctrl: [1, 1, 1],
  wt_cosine_loss: true,
  weight_function: 'Cosine',
  lab_drop_ratio: 0.1,
};

const OPTIONS = group<ObjectiveOptions>({
  transport_type: text,
  consistc_ratio: number,
  consistc_start: optional(number),
  consistc_steps: optional(number),
  enhanced_ratio: number,
  enhanced_style: optional(oneOf(...ENHANCED_STYLES)),
  scaled_cbl_eps: number,
  ema_decay_rate: number,
  enhanced_range: numbers(2),
  time_dist_ctrl: numbers(3),
  wt_cosine_loss: flag,
  weight_function: oneOf('Cosine', 'Ratio', null),
  lab_drop_ratio: number,
  method: optional(oneOf(...METHODS)),
  order: optional(number),
  ...ANYSTEP_OPTIONS,
  compat: optional(oneOf('reference')),
});

/** @throws OptionError for a key that does not exist, a value out of range, or one that this version does not compute. */
export function validateObjective(o: ObjectiveOptions): void {
  refuseWrong('objective', OPTIONS, o);
  transportNamed(o.transport_type);
  const within = (name: keyof ObjectiveOptions, lo: number, hi: number) => {
    const value = o[name] as number;
    if (!(value >= lo && value <= hi))
      throw new OptionError(`${name} is ${value}`, `give a number from ${lo} to ${hi}`);
  };
  within('consistc_ratio', 0, 1);
  within('ema_decay_rate', 0, 1);
  within('lab_drop_ratio', 0, 1);
  within('scaled_cbl_eps', 0, Number.MAX_VALUE);
  if (o.order !== undefined && !(Number.isInteger(o.order) && o.order >= 1))
    throw new OptionError(`order is ${o.order}`, 'give a whole number of at least 1');
  if (!o.time_dist_ctrl.every((v) => v > 0)) {
    throw new OptionError(`time_dist_ctrl is [${o.time_dist_ctrl}]`, 'give three positive numbers');
  }
  validateAnneal(o);
  validateAnyStep(o);
}

/** @throws OptionError for a lambda that goes from nowhere, to 0, or in no number of steps. */
function validateAnneal({
  method = 'UCGM',
  consistc_ratio,
  consistc_start: start,
  consistc_steps: steps,
  compat,
}: ObjectiveOptions) {
  if (start === undefined && steps === undefined) return;
  if (start === undefined || steps === undefined)
    throw new OptionError('consistc_start and consistc_steps go together', 'give both, or neither');
  if (method !== 'UCGM') throw new OptionError(`${method} has no consistc_start`, 'leave it and consistc_steps out');
  if (!(start >= 0 && start <= 1)) throw new OptionError(`consistc_start is ${start}`, 'give a number from 0 to 1');
  if (!(Number.isSafeInteger(steps) && steps >= 1))
    throw new OptionError(`consistc_steps is ${steps}`, 'give a whole number of at least 1');
  if (consistc_ratio === 0)
    throw new OptionError(`consistc_start is ${start} and consistc_ratio 0`, 'give a consistc_ratio above 0');
  if (compat !== undefined)
    throw new OptionError('the reference has no consistc_start', 'leave it and consistc_steps, or compat, out');
}

/**
 * True where the two ends of the transport change roles: few-step training of ReLinear, see consistency.ts. Times are then drawn,
 * weighted and enhanced as those of Linear, and the network is asked at 1 - t.
 */
export function isTurned(o: ObjectiveOptions): boolean {
  return o.transport_type === 'ReLinear' && o.consistc_ratio !== 0 && o.compat !== 'reference';
}

/** Labels dropped of a batch: lab_drop_ratio * batch, halves to even, as Python rounds. They are the last ones. */
export function droppedLabels(ratio: number, batch: number): number {
  const exact = ratio * batch;
  const floor = Math.floor(exact);
  const rest = exact - floor;
  if (rest === 0.5) return floor + (floor % 2);
  return rest > 0.5 ? floor + 1 : floor;
}

/** Where in a part of `size` samples the dropped labels begin: of the whole batch the last ones are dropped. `size` for none. */
export function firstDropped(ratio: number, size: number, { first, of }: Shard): number {
  return Math.min(size, Math.max(0, of - droppedLabels(ratio, of) - first));
}
