import { readYaml } from '../io/yaml.ts';
import { FixableError, oneLine } from '../kernel/errors.ts';
import { closest } from './closest.ts';

/** A configuration that cannot be used: which key, what it holds, what is allowed. */
export class ConfigError extends FixableError {
  override readonly name = 'ConfigError';

  constructor(where: string, what: string, fix: string) {
    // Values come from files: a line break in one must not break the message.
    super(oneLine(`${where}: ${what}`), oneLine(fix));
  }
}

/** Reads a file of settings. @throws ConfigError with file and line for broken YAML. */
export function readSettings(text: string, where: string): unknown {
  return readYaml(text, (what, fix) => new ConfigError(where, what, fix));
}

/** The error for a key that does not exist, with the nearest that does. */
export function unknownKey(where: string, key: string, known: readonly string[]): ConfigError {
  return new ConfigError(where, `there is no key ${key}`, `did you mean ${closest(key, [...known])}?`);
}
