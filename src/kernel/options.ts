import { KernelError } from './errors.ts';

/** The values one option of a kernel family may have. */
export interface Option<T> {
  /** The values there are, in words, for errors: `"layer" or "rms"`. */
  readonly values: string;
  readonly optional: boolean;
  /** What is wrong with a value that is not `values`, or undefined. Options within it are named from `path` on. */
  readonly wrong: (value: unknown, path: string) => Wrong | undefined;
  /** Never set: ties the declaration to the type of the option, neither wider nor narrower. */
  readonly type?: (value: T) => T;
}

interface Wrong {
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
export function oneOf<const T extends string | number>(...values: T[]): Needed<T> {
  return declare(`one of: ${values.map((v) => JSON.stringify(v)).join(', ')}`, (v) => values.includes(v as T));
}

/** true or false. */
export const flag: Needed<boolean> = declare('true or false', (v) => typeof v === 'boolean');

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
  return typeof value === 'object' && value !== null
    ? `an ${Array.isArray(value) ? 'array' : 'object'}`
    : String(value);
}

function wrongOptions(options: object, given: unknown, path: string): Wrong | undefined {
  const declared = options as { [name: string]: Option<unknown> };
  const known = Object.keys(declared);
  const at = (name: string) => (path ? `${path}.${name}` : name);
  if (!isPlainObject(given)) {
    const what = `${path || 'the options object'} is ${shown(given)}`;
    return { what, fix: known.length > 0 ? `give an object of: ${known.join(', ')}` : 'leave it out' };
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(declared, name)) continue;
    const fix = known.length > 0 ? `its options are: ${known.map(at).join(', ')}` : 'it takes no options';
    return { what: `has no option ${at(name)}`, fix };
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

/** What a family without options declares. */
export const none: OptionGroup = group<object>({});

/**
 * Checks what a caller asks of a family against what it declares; nothing asked is an empty group.
 * @throws KernelError bad-option for an unknown option, a missing one, or a value that does not exist, naming those that do.
 */
export function checkOptions(kernel: string, options: OptionGroup, given: unknown): void {
  const wrong = options.wrong(given === undefined ? {} : given, '');
  if (wrong) throw new KernelError('bad-option', kernel, '', wrong.what, wrong.fix);
}
