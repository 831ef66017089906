import { InvalidArgumentError } from 'commander';

/** A whole number from the command line. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value) || value < 0)
    throw new InvalidArgumentError('give a whole number.');
  return value;
}

/** A seed from the command line: 32 bits. */
export function seedNumber(text: string): number {
  const value = wholeNumber(text);
  if (value >= 2 ** 32) throw new InvalidArgumentError('give a whole number below 2^32.');
  return value;
}

/** A number from the command line. */
export function realNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('give a number.');
  return value;
}

/** Numbers between commas; exactly `count` of them where it is given. */
export function numberList(text: string, count?: number): number[] {
  const values = text.split(',').map(realNumber);
  if (count !== undefined && values.length !== count) throw new InvalidArgumentError(`give ${count} numbers.`);
  return values;
}
