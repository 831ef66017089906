/** A score that cannot be computed: what is wrong, and what to do about it, in one line. */
export class MetricError extends Error {
  override readonly name = 'MetricError';
  readonly fix: string;

  constructor(what: string, fix: string) {
    super(`${what}. Fix: ${fix}`.replace(/[\r\n\u2028\u2029]+/g, ' '));
    this.fix = fix;
  }
}
