/**
 * Logarithm, exponential and power of doubles from sums, products and quotients alone, which every engine rounds in the same way. Those of
 * Math differ in their last bits from engine to engine, and from version to version. Errors are a few units in the last place.
 */

const LN2 = Math.fround(Math.LN2);
/** What LN2, which has few bits so that its multiples are exact, leaves of ln 2. */
const LN2_REST = -1.904654299957768e-9;
const SQRT2 = Math.SQRT2;
const TERMS = 12;

/** 2^exponent, for exponents of normal numbers. */
function powerOfTwo(exponent: number): number {
  let [power, base, left] = [1, exponent < 0 ? 0.5 : 2, Math.abs(exponent)];
  for (; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) power *= base;
    base *= base;
  }
  return power;
}

const words = new DataView(new ArrayBuffer(8));

/** The natural logarithm of a normal, positive number; -Infinity of 0. */
export function log(x: number): number {
  if (x === 0) return -Infinity;
  words.setFloat64(0, x);
  let exponent = (words.getUint32(0) >>> 20) - 1023;
  let mantissa = x * powerOfTwo(-exponent);
  if (mantissa > SQRT2) {
    mantissa /= 2;
    exponent++;
  }
  // ln m = 2 artanh s = 2 (s + s^3/3 + s^5/5 + ...), |s| < 0.172.
  const s = (mantissa - 1) / (mantissa + 1);
  const square = s * s;
  let sum = 0;
  for (let k = 2 * TERMS + 1; k >= 3; k -= 2) sum = (sum + 1 / k) * square;
  return exponent * LN2 + (2 * s + (2 * s * sum + exponent * LN2_REST));
}

/** e^x; 0 below the normal numbers, Infinity above them. */
export function exp(x: number): number {
  if (!(x > -708)) return Number.isNaN(x) ? x : 0;
  if (x > 709) return Infinity;
  const k = Math.round(x / Math.LN2);
  const rest = x - k * LN2 - k * LN2_REST; // |rest| < 0.35
  let sum = 1;
  for (let n = TERMS + 5; n >= 1; n--) sum = 1 + (sum * rest) / n;
  return sum * powerOfTwo(k);
}

/** x^y of x from 0 on. */
export function power(x: number, y: number): number {
  return exp(y * log(x));
}

/** The cosine of an angle from 0 to pi; exactly -1 at Math.PI. */
export function cos(x: number): number {
  if (x > Math.PI / 2) return -cos(Math.PI - x);
  let sum = 1;
  for (let n = 2 * TERMS; n >= 2; n -= 2) sum = 1 - (sum * x * x) / (n * (n - 1));
  return sum;
}
