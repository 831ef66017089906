// Numbers as `toLocaleString('en')` writes them, without it: a browser's first call of it takes the main thread 40 ms of processor time.

/** A whole number with its thousands parted: 12,345. */
export const grouped = (value: number): string => {
  const [whole = '', rest] = String(value).split('.');
  const parted = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return rest === undefined ? parted : `${parted}.${rest}`;
};

/** A number for people: four digits, an exponent where zeros would be counted. */
export function shortNumber(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e9) return value.toExponential(2);
  return grouped(Number.isInteger(value) ? value : Number(value.toPrecision(4)));
}

/** A number in `digits` digits at most, from 1,000 on with a letter: 12.3K, 4M, 1.25B. */
export function compactNumber(value: number, digits: number): string {
  let short = Number(value.toPrecision(digits));
  let letter = 0;
  for (; Math.abs(short) >= 1000 && letter < LETTERS.length - 1; letter++) short /= 1000;
  return `${Number(short.toPrecision(digits))}${LETTERS[letter]}`;
}

const LETTERS = ['', 'K', 'M', 'B', 'T'];
