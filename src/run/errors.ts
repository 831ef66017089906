import { FixableError } from '../kernel/errors.ts';

/** A run that cannot be made, gone on with or drawn from: what is wrong with its weights, its samples or what is asked of it. */
export class RunError extends FixableError {
  override readonly name = 'RunError';
}
