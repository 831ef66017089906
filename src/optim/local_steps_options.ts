import { group, number, type Wrong } from '../kernel/index.ts';

/**
 * Steps that each of several devices takes by itself, and what they then do together (DiLoCo, Douillard et al. 2023): the mean over all of
 * where the steps began minus where they came to is taken as a gradient, and one step of SGD with Nesterov's momentum is made from the beginning.
 */
export interface LocalStepsOptions {
  /** Steps between two outer ones. */
  readonly steps: number;
  /** The outer step's rate; .7 is published. 1 without momentum takes the mean of the weights. */
  readonly lr: number;
  /** The outer step's momentum; .9 is published. */
  readonly momentum: number;
}

export const LOCAL_STEPS = group<LocalStepsOptions>({ steps: number, lr: number, momentum: number }, wrong);

function wrong({ steps, lr, momentum }: LocalStepsOptions): Wrong | undefined {
  if (!Number.isInteger(steps) || steps < 1)
    return { what: `localSteps.steps is ${steps}`, fix: 'give a whole number of at least 1' };
  if (!(lr > 0)) return { what: `localSteps.lr is ${lr}`, fix: 'give a positive number' };
  if (!(momentum >= 0 && momentum < 1))
    return { what: `localSteps.momentum is ${momentum}`, fix: 'give a number in [0, 1)' };
  return undefined;
}
