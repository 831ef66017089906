import { InvalidArgumentError } from 'commander';
import { type PassPrecision, PRECISIONS } from '../tensor/index.ts';

/** A whole number from the command line. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('give a whole number.');
  return value;
}

/** A whole number of at least 1. */
export function countNumber(text: string): number {
  const value = wholeNumber(text);
  if (value < 1) throw new InvalidArgumentError('give a whole number of at least 1.');
  return value;
}

/** A seed from the command line: 32 bits. */
export function seedNumber(text: string): number {
  const value = wholeNumber(text);
  if (value >= 2 ** 32) throw new InvalidArgumentError('give a whole number below 2^32.');
  return value;
}

/** A finite number from the command line. */
export function realNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('give a number that is finite.');
  return value;
}

/** How passes compute, from the command line. */
export function precisionName(text: string): PassPrecision {
  const known = PRECISIONS.find((name) => name === text);
  if (known === undefined) throw new InvalidArgumentError(`give ${PRECISIONS.join(', ')}.`);
  return known;
}

/** Numbers between commas; exactly `count` of them where it is given. */
export function numberList(text: string, count?: number): number[] {
  const values = text.split(',').map(realNumber);
  if (count !== undefined && values.length !== count) throw new InvalidArgumentError(`give ${count} numbers.`);
  return values;
}
