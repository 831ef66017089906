import { readFileSync } from 'node:fs';
import { type PartialConfig, parseConfig } from '../io/config.ts';
import { UsageError } from './failure.ts';

/** Settings from a YAML file. @throws UsageError where it cannot be read, ConfigError where it does not fit. */
export function readConfigFile(path: string): PartialConfig {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new UsageError(`--config ${path} cannot be read`, 'give a YAML file that exists');
  }
  return parseConfig(text, path);
}
