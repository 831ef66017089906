import { checkOptions, FixableError, group, number, numbers, oneOf, optional, type Wrong } from '../kernel/index.ts';
import { ADAM_TYPES, type AdamType } from './hyper.ts';
import { RATE_OPTIONS, type RateOptions, wrongRate } from './rate.ts';

export interface OptimizerOptions extends RateOptions {
  /**
   * AdamW is the reference's (see hyper.ts), not torch's. Adam and RAdam are torch's. The C ones are cautious, DAdamW adapts its rate. Muon
   * is for the hidden layers' matrices (see matrices.ts), and AdamW for the rest.
   */
  type: AdamType | 'Lion' | 'CLion' | 'DAdamW' | 'Muon';
  lr: number;
  betas: readonly [number, number];
  weight_decay: number;
  /** Default 1e-8; 1e-6 for CAdamW. */
  eps?: number;
  /** Muon: the rate of the matrices, in units of spectral norm (default 0.02); `lr` is AdamW's. */
  matrix_lr?: number;
  /** Muon: the momentum of the matrices (default 0.95). */
  momentum?: number;
}

/** Every optimiser's name. */
export const OPTIMIZER_TYPES = [...ADAM_TYPES, 'Lion', 'CLion', 'DAdamW', 'Muon'] as const;

/** An optimiser's name is unknown, a number out of range, or a network has nothing for it. */
export class OptimizerError extends FixableError {
  override readonly name = 'OptimizerError';
}

const OPTIONS = group<OptimizerOptions>(
  {
    type: oneOf(...OPTIMIZER_TYPES),
    lr: number,
    betas: numbers(2),
    weight_decay: number,
    eps: optional(number),
    matrix_lr: optional(number),
    momentum: optional(number),
    ...RATE_OPTIONS,
  },
  wrong,
);

/** @throws OptimizerError for an unknown type or option, and for impossible numbers. */
export function checkOptimizer(options: OptimizerOptions): void {
  checkOptions(OPTIONS, options, (what, fix) => new OptimizerError(`optimizer: ${what}`, fix));
}

function wrong(o: OptimizerOptions): Wrong | undefined {
  const { type, lr, betas, eps, weight_decay, matrix_lr, momentum } = o;
  if (!(lr > 0)) return { what: `lr is ${lr}`, fix: 'give a positive number' };
  if (!betas.every((b) => b >= 0 && b < 1)) return { what: `betas are [${betas}]`, fix: 'give two numbers in [0, 1)' };
  if (eps !== undefined && !(eps > 0))
    return { what: `eps is ${eps}`, fix: 'give a positive number: without it a gradient of 0 divides 0 by 0' };
  if (!(weight_decay >= 0)) return { what: `weight_decay is ${weight_decay}`, fix: 'give 0 or more' };
  for (const [name, value] of Object.entries({ matrix_lr, momentum }))
    if (value !== undefined && type !== 'Muon')
      return { what: `${name} is ${value} with ${type}`, fix: 'leave it out: it is an option of Muon' };
  if (matrix_lr !== undefined && !(matrix_lr > 0))
    return { what: `matrix_lr is ${matrix_lr}`, fix: 'give a positive number' };
  if (momentum !== undefined && !(momentum >= 0 && momentum < 1))
    return { what: `momentum is ${momentum}`, fix: 'give a number in [0, 1)' };
  return wrongRate(o);
}
