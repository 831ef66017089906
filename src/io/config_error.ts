import { nearest } from './nearest.ts';

/** A configuration that cannot be used: which key, what it holds, what is allowed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly fix: string;

  constructor(where: string, what: string, fix: string) {
    // Values come from files: a line break in one must not break the message.
    super(`${where}: ${what}. Fix: ${fix}`.replace(/[\r\n\u2028\u2029]+/g, ' '));
    this.fix = fix;
  }
}

/** The error for a key that does not exist, with the nearest that does. */
export function unknownKey(where: string, key: string, known: readonly string[]): ConfigError {
  return new ConfigError(where, `there is no key ${key}`, `did you mean ${nearest(key, [...known])}?`);
}
