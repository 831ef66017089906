import { nearest } from './nearest.ts';

/** The values one option may have: of a kernel family, a trainer, a sampling, a network. */
export interface Option<T> {
  /** The values there are, in words, for errors: `"layer" or "rms"`. */
  readonly values: string;
  readonly optional: boolean;
  /** What is wrong with a value that is not `values`, or undefined. Options within it are named from `path` on. */
  readonly wrong: (value: unknown, path: string) => Wrong | undefined;
  /** Never set: ties the declaration to the type of the option, neither wider nor narrower. */
  readonly type?: (value: T) => T;
}

/** What is wrong with options, and what to give. */
export interface Wrong {
  readonly what: string;
  readonly fix: string;
}

type Needed<T> = Option<T> & { readonly optional: false };

/** A declaration for every option, optional where the type's is. */
export type OptionsOf<O> = {
  readonly [K in keyof O]-?: Option<Exclude<O[K], undefined>> & {
    readonly optional: Record<never, never> extends Pick<O, K> ? true : false;
  };
};

function declare<T>(values: string, accepts: (value: unknown) => boolean): Needed<T> {
  return {
    values,
    optional: false,
    wrong: (value, path) =>
      accepts(value) ? undefined : { what: `${path} is ${shown(value)}`, fix: `give ${path} ${values}` },
  };
}

/** An option that may be left out. */
export function optional<T>(option: Option<T>): Option<T> & { readonly optional: true } {
  return { ...option, optional: true };
}

/** One of a few words or numbers. */
export function oneOf<const T extends string | number | null>(...values: T[]): Needed<T> {
  const words = values.map((v) => JSON.stringify(v)).join(', ');
  return declare(values.length === 1 ? words : `one of: ${words}`, (v) => values.includes(v as T));
}

/** What one declaration or the other takes. */
export function either<A, B>(one: Needed<A>, other: Needed<B>): Needed<A | B> {
  const accepts = (v: unknown) => !one.wrong(v, '') || !other.wrong(v, '');
  return declare(`${one.values} or ${other.values}`, accepts);
}

/** true or false. */
export const flag: Needed<boolean> = declare('true or false', (v) => typeof v === 'boolean');

/** A finite number. */
export const number: Needed<number> = declare('a finite number', (v) => Number.isFinite(v));

/** An array of so many finite numbers; of any length if left out. */
export function numbers<T extends readonly number[]>(length?: T['length']): Needed<T> {
  const fits = (v: readonly unknown[]) => length === undefined || v.length === length;
  const accepts = (v: unknown) => Array.isArray(v) && fits(v) && v.every((each) => Number.isFinite(each));
  return declare(`an array of ${length === undefined ? '' : `${length} `}finite numbers`, accepts);
}

/** Any string; where there are few, `oneOf` names them. */
export const text: Needed<string> = declare('a string', (v) => typeof v === 'string');

/** An array of strings. */
export const texts: Needed<readonly string[]> = declare(
  'an array of strings',
  (v) => Array.isArray(v) && v.every((each) => typeof each === 'string'),
);

/** A function of the caller's. */
export function callback<T extends (...given: never[]) => unknown>(): Needed<T> {
  return declare('a function', (v) => typeof v === 'function');
}

/** An object that another check looks into. */
export function object<T extends object>(): Needed<T> {
  return declare('an object', (v) => isPlainObject(v));
}

/** An AbortSignal, of any realm. */
export const signal: Needed<AbortSignal> = declare(
  'an AbortSignal',
  (v) => isPlainObject(v) && typeof v.aborted === 'boolean' && typeof v.throwIfAborted === 'function',
);

/** A whole number from `least` to `most`, a multiple of `step`. */
export function whole(least: number, most: number, step = 1): Needed<number> {
  const values = `${step === 1 ? 'a whole number' : `a multiple of ${step}`} from ${least} to ${most}`;
  const accepts = (v: unknown) =>
    Number.isInteger(v) && (v as number) >= least && (v as number) <= most && (v as number) % step === 0;
  return declare(values, accepts);
}

/** 1, 2, 4, ... up to `most`. */
export function powerOfTwo(most: number): Needed<number> {
  const accepts = (v: unknown) => Number.isInteger(v) && (v as number) >= 1 && (v as number) <= most;
  return declare(`a power of two from 1 to ${most}`, (v) => accepts(v) && Number.isInteger(Math.log2(v as number)));
}

/** An object of options; `check` says what is wrong with them together. */
export function group<T extends object>(options: OptionsOf<T>, check?: (value: T) => Wrong | undefined): Needed<T> {
  return {
    values: `{ ${Object.keys(options).join(', ')} }`,
    optional: false,
    wrong: (value, path) => wrongOptions(options, value, path) ?? check?.(value as T),
  };
}

/** An object whose word `tag` says which options it has; left out, it is `otherwise`. */
export function variants<T extends object>(
  tag: string,
  kinds: { readonly [kind: string]: OptionGroup },
  otherwise?: string,
): Needed<T> {
  const words = oneOf(...Object.keys(kinds));
  return {
    values: Object.values(kinds)
      .map((kind) => kind.values)
      .join(' or '),
    optional: false,
    wrong: (value, path) => {
      if (!isPlainObject(value)) return { what: `${path} is ${shown(value)}`, fix: `give ${path} an object` };
      const { [tag]: kind = otherwise, ...rest } = value;
      return words.wrong(kind, `${path}.${tag}`) ?? kinds[kind as string]?.wrong(rest, path);
    },
  };
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value))
    return value.every((v) => typeof v === 'number') && value.length <= 8 ? `[${value.join(', ')}]` : 'an array';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

function wrongOptions(options: object, given: unknown, path: string): Wrong | undefined {
  const declared = options as { [name: string]: Option<unknown> };
  const known = Object.keys(declared);
  const at = (name: string) => (path ? `${path}.${name}` : name);
  if (!isPlainObject(given)) {
    const what = path ? `${path} is ${shown(given)}` : `the options are ${shown(given)}`;
    return { what, fix: known.length > 0 ? `give an object of: ${known.join(', ')}` : 'leave it out' };
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(declared, name)) continue;
    const near = nearest(name, known);
    const all = known.length > 0 ? `its options are: ${known.map(at).join(', ')}` : 'it takes no options';
    return { what: `has no option ${at(name)}`, fix: near === undefined ? all : `write ${at(near)}; ${all}` };
  }
  for (const [name, option] of Object.entries(declared)) {
    if (given[name] === undefined && option.optional) continue;
    const wrong = option.wrong(given[name], at(name));
    if (wrong) return wrong;
  }
  return undefined;
}

/** Any `group`. */
export type OptionGroup = Pick<Option<unknown>, 'values' | 'wrong'>;

/** What has no options declares this. */
export const none: OptionGroup = group<object>({});

/**
 * Checks what a caller gives against what is declared. @throws the error that `refuse` makes of an unknown option, a missing one, or
 * a value that does not exist, and of the ones there are.
 */
export function checkOptions(
  options: OptionGroup,
  given: unknown,
  refuse: (what: string, fix: string) => { readonly fix: string },
): void {
  const wrong = options.wrong(given, '');
  if (wrong) throw refuse(wrong.what, wrong.fix);
}
