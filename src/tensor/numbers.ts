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
  let zero = 0;
  for (let i = 0; i < copy.length; i++) zero += (copy[i] as number) * 0; // NaN and infinities make it NaN
  if (zero !== 0) {
    const at = copy.findIndex((v) => !Number.isFinite(v));
    throw new TensorError(`${what}: number ${at} is ${value[at as never]}`, 'give finite numbers');
  }
  return copy;
}

/**
 * A copy of whole numbers from 0 on as u32, from an array of any type of numbers.
 * @throws TensorError for other types, and for numbers that are negative, fractions or too large.
 */
export function wholeNumbers(what: string, value: unknown): Uint32Array<ArrayBuffer> {
  if (!isView(value) && !Array.isArray(value))
    throw new TensorError(`${what}: ${kindOf(value)} is no array of whole numbers`, 'give a Uint32Array');
  const bad = Array.from(value as ArrayLike<number>).findIndex((v) => !(Number.isInteger(v) && v >= 0 && v < 2 ** 32));
  if (bad >= 0)
    throw new TensorError(`${what}: number ${bad} is ${value[bad]}`, 'give a Uint32Array: whole numbers from 0 on');
  return Uint32Array.from(value as ArrayLike<number>);
}
