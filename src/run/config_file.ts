import { readSettings } from './config_error.ts';
import { fromReferenceConfig, isReferenceConfig } from './reference_config.ts';
import { type PartialConfig, sectionsOf } from './settings.ts';

/** A configuration file that was read. */
export interface ConfigFile {
  readonly config: PartialConfig;
  /** True where the file is in the reference's terms. */
  readonly reference: boolean;
  /** What of it has no counterpart here: one line each. */
  readonly notes: readonly string[];
}

/** Reads a configuration file, ours or one of the reference. @throws ConfigError for broken YAML and unknown keys. */
export function parseConfigFile(text: string, where: string): ConfigFile {
  const value = readSettings(text, where);
  if (isReferenceConfig(value)) return { reference: true, ...fromReferenceConfig(value, where) };
  return { config: sectionsOf(value, where), reference: false, notes: [] };
}
