/** An option of a learner that does not exist or does not fit, or a step's body that breaks a rule. `fix` says what to give. */
export class LearnerError extends Error {
  override readonly name = 'LearnerError';
  readonly fix: string;

  constructor(what: string, fix: string) {
    super(`${what}. Fix: ${fix}`);
    this.fix = fix;
  }
}
