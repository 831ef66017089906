/** What an option takes: a type in words, `?` after it where it may be left out; or the values there are. */
export type Takes =
  | `${'number' | 'boolean' | 'function' | 'object' | 'text' | '2 numbers' | '3 numbers' | 'number or null'}${'' | '?'}`
  | readonly (string | number | null | undefined)[];

/** What is wrong with options, and what to give. */
export interface Wrong {
  readonly what: string;
  readonly fix: string;
}

/** The first key that does not exist, is missing, or has a value of another type, in plain JavaScript as in TypeScript. */
export function wrongOption(of: string, given: unknown, known: { readonly [key: string]: Takes }): Wrong | undefined {
  const keys = Object.keys(known);
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return { what: `${of}: ${shown(given)} is no object`, fix: `give { ${keys.join(', ')} }` };
  const options = given as { [key: string]: unknown };
  for (const key of Object.keys(options)) {
    if (keys.includes(key)) continue;
    const near = nearest(key, keys);
    const all = `${of} has ${keys.join(', ')}`;
    return { what: `${of} has no ${key}`, fix: near ? `write ${near}; ${all}` : all };
  }
  for (const [key, takes] of Object.entries(known)) {
    const value = options[key];
    if (accepts(takes, value)) continue;
    const words = typeof takes === 'string' ? takes.replace('?', '') : `one of ${takes.filter(Boolean).join(', ')}`;
    const wrong = typeof takes === 'string' ? `${key} is ${shown(value)}` : `${key} ${String(value)} does not exist`;
    const what = value === undefined ? `${of} lacks ${key}` : wrong;
    return { what, fix: `give ${words === 'number' ? 'a finite number' : words}` };
  }
  return undefined;
}

function accepts(takes: Takes, value: unknown): boolean {
  if (typeof takes !== 'string') return takes.includes(value as string);
  if (value === undefined) return takes.endsWith('?');
  const type = takes.replace('?', '');
  if (type === 'number or null') return value === null || Number.isFinite(value);
  if (type === 'number') return Number.isFinite(value);
  if (type === 'text') return typeof value === 'string';
  if (type === 'object') return typeof value === 'object' && value !== null;
  if (/^\d/.test(type)) return Array.isArray(value) && value.length === Number(type[0]) && value.every(Number.isFinite);
  return typeof value === type; // boolean, function
}

const shown = (value: unknown) =>
  typeof value === 'object' || typeof value === 'string' ? JSON.stringify(value) : String(value);

/** The name that is meant, if any is near. */
function nearest(name: string, names: readonly string[]): string | undefined {
  const flat = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const ranked = names.map((known) => ({ known, distance: edits(flat(name), flat(known)) }));
  ranked.sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= Math.max(1, best.known.length / 3) ? best.known : undefined;
}

/** Levenshtein's distance. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swapped = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swapped, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
