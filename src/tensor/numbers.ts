import { TensorError } from './errors.ts';

/** Numbers as a caller may have them. */
export type Numbers = ArrayLike<number>;

const isView = (value: unknown): value is ArrayLike<number> =>
  ArrayBuffer.isView(value) && !(value instanceof DataView);
const kindOf = (value: unknown) => (value === null ? 'null' : (Object(value).constructor?.name ?? typeof value));

/**
 * A copy of real numbers as f32: of a Float32Array, Float64Array (rounded), or plain array. `into` is filled where it has that length:
 * to fill memory that was used before takes a fifth of the time that new memory takes.
 * @throws TensorError for other types, and for what is not finite.
 */
export function realNumbers(what: string, value: unknown, into?: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  const real = value instanceof Float32Array || value instanceof Float64Array || Array.isArray(value);
  if (!real || (Array.isArray(value) && !value.every((v) => typeof v === 'number')))
    throw new TensorError(
      `${what}: ${kindOf(value)} is no array of real numbers`,
      'give a Float32Array, scaled as the data is',
    );
  const { length } = value as Float32Array;
  const copy = into?.length === length ? into : new Float32Array(length);
  copy.set(value as Float32Array);
  if (!Number.isFinite(sumOf(copy))) {
    const at = copy.findIndex((v) => !Number.isFinite(v));
    throw new TensorError(`${what}: number ${at} is ${value[at as never]}`, 'give finite numbers');
  }
  return copy;
}

/**
 * The sum of some f32 in f64, finite where all of them are. Four sums at once: each addition waits for the one before. V8 keeps them
 * as doubles where each is declared by itself; taken from an array's pattern they cost five times as much.
 */
function sumOf(values: Float32Array): number {
  const { length } = values;
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = 0;
  for (; i + 3 < length; i += 4) {
    a += values[i] as number;
    b += values[i + 1] as number;
    c += values[i + 2] as number;
    d += values[i + 3] as number;
  }
  for (; i < length; i++) a += values[i] as number;
  return a + b + c + d;
}

/**
 * A copy of whole numbers from 0 on as u32, from an array of any type of numbers.
 * @throws TensorError for other types, and for numbers that are negative, fractions or too large.
 */
export function wholeNumbers(what: string, value: unknown): Uint32Array<ArrayBuffer> {
  if (!isView(value) && !Array.isArray(value))
    throw new TensorError(`${what}: ${kindOf(value)} is no array of whole numbers`, 'give a Uint32Array');
  const given = value as ArrayLike<number>;
  const copy = new Uint32Array(given.length);
  for (let i = 0; i < copy.length; i++) {
    const number = given[i];
    if (typeof number === 'number') copy[i] = number;
    if (copy[i] !== number)
      throw new TensorError(`${what}: number ${i} is ${given[i]}`, 'give a Uint32Array: whole numbers from 0 on');
  }
  return copy;
}
