import { type PartialConfig, sectionsOf } from './config.ts';
import { fromReferenceConfig, isReferenceConfig } from './reference_config.ts';
import { readYaml } from './yaml.ts';

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
  const value = readYaml(text, where);
  if (isReferenceConfig(value)) return { reference: true, ...fromReferenceConfig(value, where) };
  return { config: sectionsOf(value, where), reference: false, notes: [] };
}
