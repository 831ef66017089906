import { FixableError } from '../kernel/index.ts';

/** An option of a learner that does not exist or does not fit, or a step's body that breaks a rule. */
export class LearnerError extends FixableError {
  override readonly name = 'LearnerError';
}
