import { FixableError, oneLine } from '../kernel/errors.ts';

/** A score that cannot be computed: what is wrong, and what to do about it, in one line. */
export class MetricError extends FixableError {
  override readonly name = 'MetricError';

  constructor(what: string, fix: string) {
    super(oneLine(what), oneLine(fix));
  }
}
