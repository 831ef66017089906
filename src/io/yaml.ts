import { parseDocument, stringify } from 'yaml';

/**
 * Reads YAML as plain values.
 * @throws what `refuse` makes of a line that is no YAML, and of aliases that unfold without end.
 */
export function readYaml(text: string, refuse: (what: string, fix: string) => Error): unknown {
  let what: string;
  try {
    const yaml = parseDocument(text);
    const broken = yaml.errors[0];
    if (!broken) return yaml.toJS({ maxAliasCount: 100 }); // throws where aliases of aliases would fill the memory
    what = broken.message;
  } catch (error) {
    what = error instanceof Error ? error.message : String(error);
  }
  throw refuse(what.split('\n')[0] as string, 'correct the YAML');
}

/** Plain values as YAML; readYaml reads them back. */
export function writeYaml(value: unknown): string {
  return stringify(value);
}
