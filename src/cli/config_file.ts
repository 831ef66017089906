import { readFileSync } from 'node:fs';
import { type ConfigFile, parseConfigFile } from '../run/config_file.ts';
import { UsageError } from './failure.ts';

/** Settings from a YAML file; says what of it has no counterpart. @throws UsageError, or ConfigError where it does not fit. */
export function readConfigFile(path: string): ConfigFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new UsageError(`--config ${path} cannot be read`, 'give a YAML file that exists');
  }
  const file = parseConfigFile(text, path);
  for (const note of file.notes) console.warn(note);
  return file;
}
