import { parseDocument } from 'yaml';
import { ConfigError } from './config_error.ts';

/** Reads YAML as plain values. @throws ConfigError with the line, for what is no YAML and for aliases that unfold without end. */
export function readYaml(text: string, where: string): unknown {
  let what: string;
  try {
    const yaml = parseDocument(text);
    const broken = yaml.errors[0];
    if (!broken) return yaml.toJS({ maxAliasCount: 100 }); // throws where aliases of aliases would fill the memory
    what = broken.message;
  } catch (error) {
    what = error instanceof Error ? error.message : String(error);
  }
  throw new ConfigError(where, what.split('\n')[0] as string, 'correct the YAML');
}
