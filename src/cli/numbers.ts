import { InvalidArgumentError } from 'commander';
import { type PassPrecision, PRECISIONS } from '../tensor/index.ts';
import { AUTO } from './auto_batch.ts';

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

/** A batch size from the command line, or that it is to be found. */
export function batchNumber(text: string): number | typeof AUTO {
  if (text === AUTO) return AUTO;
  try {
    return wholeNumber(text);
  } catch {
    throw new InvalidArgumentError(`give a whole number, or ${AUTO}.`);
  }
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

/** Seeds between commas; a single number is how many, from 0 on. */
export function seedNumbers(text: string): number[] {
  const values = text.split(',').map(seedNumber);
  const [first] = values as [number];
  if (values.length > 1) {
    if (new Set(values).size < values.length) throw new InvalidArgumentError('give each seed once.');
    return values;
  }
  if (first < 1 || first > MOST_SEEDS) throw new InvalidArgumentError(`give 1 to ${MOST_SEEDS} seeds, or a list.`);
  return Array.from({ length: first }, (_, i) => i);
}

/** Seeds of one scoring: more are a slip of the hand. */
const MOST_SEEDS = 1000;
