import { ModelError } from '../config.ts';

/** Entries of a configuration, each of the type that is asked for. Those that nobody asks for are no matter. */
export interface ConfigReader {
  has(key: string): boolean;
  /** @throws ModelError where it is none, or missing without `otherwise`; so all. */
  number(key: string, otherwise?: number): number;
  flag(key: string, otherwise: boolean): boolean;
  word(key: string, otherwise: string): string;
  numbers(key: string, otherwise?: () => readonly number[]): readonly number[];
  words(key: string, otherwise: () => readonly string[]): readonly string[];
  /** What stands there, unread. */
  any(key: string): unknown;
}

type Entries = { readonly [key: string]: unknown };

const isObject = (value: unknown): value is Entries => typeof value === 'object' && value !== null;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Reads a configuration; entries of objects in it by the names of these (`params`, `ddconfig`) are its own. @throws ModelError for none. */
export function readConfig(config: unknown, where: string): ConfigReader {
  if (!isObject(config))
    throw new ModelError(
      `${where}: the configuration is ${config === null ? 'null' : typeof config}`,
      'give an object',
    );
  let entries: Entries = config;
  for (const inner of ['model', 'params', 'ddconfig']) {
    const found = entries[inner];
    if (isObject(found)) entries = { ...entries, ...found };
  }
  const get = <T>(key: string, what: string, is: (value: unknown) => value is T, otherwise?: () => T): T => {
    const value = entries[key];
    if (value === undefined && otherwise) return otherwise();
    if (is(value)) return value;
    throw new ModelError(
      `${where}: ${key} of the configuration is ${JSON.stringify(value)?.slice(0, 80)}`,
      `give ${what}`,
    );
  };
  const list =
    <T>(is: (value: unknown) => value is T) =>
    (value: unknown): value is readonly T[] =>
      Array.isArray(value) && value.every(is);
  const isWord = (value: unknown): value is string => typeof value === 'string';
  return {
    has: (key) => entries[key] !== undefined,
    number: (key, otherwise) =>
      get(key, 'a whole number', isCount, otherwise === undefined ? undefined : () => otherwise),
    flag: (key, otherwise) =>
      get(
        key,
        'true or false',
        (value): value is boolean => typeof value === 'boolean',
        () => otherwise,
      ),
    word: (key, otherwise) => get(key, 'a word', isWord, () => otherwise),
    numbers: (key, otherwise) => get(key, 'whole numbers', list(isCount), otherwise),
    words: (key, otherwise) => get(key, 'words', list(isWord), otherwise),
    any: (key) => entries[key],
  };
}
