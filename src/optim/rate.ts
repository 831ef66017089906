import { number, oneOf, optional, type Wrong } from '../kernel/index.ts';
import { cos } from '../rng/elementary.ts';

/** How the rate falls after the warm-up. */
export const RATE_DECAYS = ['constant', 'linear', 'cosine'] as const;

/** How the learning rate goes over a run, by steps counted from 1. */
export interface RateOptions {
  /** Steps in which it rises linearly, the last of them with the whole rate (default 0). */
  warmup_steps?: number;
  /** How it falls from there on (default constant). */
  lr_decay?: (typeof RATE_DECAYS)[number];
  /** The step from which on it stays at `lr_final`. A run's settings take its number of steps where it is left out. */
  lr_decay_steps?: number;
  /** The fraction of it that is left at the end (default 0). */
  lr_final?: number;
}

/** The declaration of every option. */
export const RATE_OPTIONS = {
  warmup_steps: optional(number),
  lr_decay: optional(oneOf(...RATE_DECAYS)),
  lr_decay_steps: optional(number),
  lr_final: optional(number),
};

/** What is wrong with them, if something is. */
export function wrongRate({ warmup_steps, lr_decay, lr_decay_steps, lr_final }: RateOptions): Wrong | undefined {
  const whole = (n: number) => Number.isSafeInteger(n) && n >= 0;
  if (warmup_steps !== undefined && !whole(warmup_steps))
    return { what: `warmup_steps is ${warmup_steps}`, fix: 'give a whole number of steps' };
  if (!decays(lr_decay)) {
    for (const [name, value] of Object.entries({ lr_decay_steps, lr_final }))
      if (value !== undefined)
        return { what: `${name} is ${value}, but the rate does not fall`, fix: 'set lr_decay to linear or cosine' };
    return undefined;
  }
  if (lr_decay_steps === undefined)
    return { what: `lr_decay is ${lr_decay} without lr_decay_steps`, fix: 'give the step at which it ends' };
  if (!whole(lr_decay_steps) || lr_decay_steps <= (warmup_steps ?? 0))
    return {
      what: `lr_decay_steps is ${lr_decay_steps} after ${warmup_steps ?? 0} steps of warm-up`,
      fix: 'give a whole number above warmup_steps: the step at which the decay ends',
    };
  if (lr_final !== undefined && !(lr_final >= 0 && lr_final <= 1))
    return { what: `lr_final is ${lr_final}`, fix: 'give a fraction of the rate, from 0 to 1' };
  return undefined;
}

/** True where the rate falls. */
export const decays = (decay: RateOptions['lr_decay']): decay is 'linear' | 'cosine' =>
  decay !== undefined && decay !== 'constant';

/**
 * The factor of the learning rate in a step, the first being 1: step / warmup_steps up to 1, and then, where it falls, from 1 in the last step
 * of the warm-up to `lr_final` in step lr_decay_steps and after it. The same bits in every engine.
 */
export function rateFactor(options: RateOptions, step: number): number {
  const { warmup_steps = 0, lr_decay, lr_decay_steps = 0, lr_final = 0 } = options;
  if (step < warmup_steps) return step / warmup_steps;
  if (!decays(lr_decay)) return 1;
  const way = Math.min(1, (step - warmup_steps) / (lr_decay_steps - warmup_steps));
  const left = lr_decay === 'linear' ? 1 - way : (1 + cos(Math.PI * way)) / 2;
  return lr_final + (1 - lr_final) * left;
}
