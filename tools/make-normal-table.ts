/**
 * Makes the coefficients of the integer inverse normal distribution and writes them into shaders/lib/normal.wgsl and
 * src/rng/normal_table.ts: `npx tsx tools/make-normal-table.ts`. A test fails where a file differs from what this makes.
 *
 * Octave k holds the upper-tail probabilities p = 2^-(k+2) (1 + t), t in [0, 1). In it z(p) = c0 - t (c1 - t (c2 - ...)), the
 * polynomial through the Chebyshev nodes of the octave. Every c is positive, because the derivatives of z alternate in sign
 * below p = 1/2, and so is every bracket: the shader needs no signed product.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = new URL('..', import.meta.url).pathname;
const OCTAVES = 32;
const DEGREE = 5;
/** Coefficients are z in units of 2^-29: the largest, 6.34, still fits 32 bits. */
const SCALE = 2 ** 29;

const density = (z: number) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);

/** Probability above z >= 0: the series of the integral from 0 below 3, the continued fraction of the tail beyond. */
export function upperTail(z: number): number {
  if (z < 3) {
    let term = z;
    let sum = z;
    for (let n = 1; term > 1e-18 * sum; n++) {
      term *= (z * z) / (2 * n + 1);
      sum += term;
    }
    return 0.5 - density(z) * sum;
  }
  let fraction = z;
  for (let n = 200; n > 0; n--) fraction = z + n / fraction;
  return density(z) / fraction;
}

/** z >= 0 with `upperTail(z) = p`, 0 < p <= 1/2, by Newton's method on the logarithm of the tail. */
export function quantile(p: number): number {
  if (p >= 0.5) return 0;
  let z = Math.sqrt(-2 * Math.log(2 * p));
  for (let i = 0; i < 60; i++) {
    const tail = upperTail(z);
    const change = (Math.log(tail / p) * tail) / density(z);
    z += change;
    if (Math.abs(change) < 1e-15 * Math.max(1, z)) break;
  }
  return z;
}

/** Monomial coefficients of the polynomial of degree DEGREE through f at the Chebyshev nodes of [0, 1], times `stretch`. */
function interpolate(f: (t: number) => number, stretch: number): number[] {
  const n = DEGREE + 1;
  const nodes = Array.from({ length: n }, (_, i) => (0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / n)) * stretch);
  const divided = nodes.map(f);
  for (let j = 1; j < n; j++) {
    for (let i = n - 1; i >= j; i--) {
      const step = (nodes[i] as number) - (nodes[i - j] as number);
      divided[i] = ((divided[i] as number) - (divided[i - 1] as number)) / step;
    }
  }
  let poly: number[] = [];
  for (let i = n - 1; i >= 0; i--) {
    const next = [0, ...poly];
    poly.forEach((c, d) => {
      next[d] = (next[d] as number) - c * (nodes[i] as number);
    });
    next[0] = (next[0] as number) + (divided[i] as number);
    poly = next;
  }
  return poly;
}

/**
 * The table: a row an octave, c0..c5 in units of 2^-29. Octave 0 ends at p = 1/2, where its polynomial must end at z = 0 and not
 * below: its last node is moved there.
 */
export function normalTable(): number[][] {
  const toTheEnd = 1 / (0.5 + 0.5 * Math.cos(Math.PI / (2 * DEGREE + 2)));
  return Array.from({ length: OCTAVES }, (_, octave) => {
    const f = (t: number) => quantile(2 ** -(octave + 2) * (1 + t));
    const powers = interpolate(f, octave === 0 ? toTheEnd : 1);
    return powers.map((c, d) => Math.round((d % 2 === 0 ? c : -c) * SCALE));
  });
}

/** The two files with this table in them: of the shader's text only the rows of the table are replaced. */
export function generate(): { path: string; text: string; stale: boolean }[] {
  const table = normalTable();
  const shaderPath = 'shaders/lib/normal.wgsl';
  const shader = readFileSync(join(ROOT, shaderPath), 'utf8');
  const rows = table.map((row) => `  ${row.map((c) => `${c}u`).join(', ')},\n`).join('');
  const host = [
    '/** The rows of shaders/lib/normal.wgsl, c0..c5 of an octave each; written by tools/make-normal-table.ts. */',
    'export const NORMAL_TABLE: readonly (readonly number[])[] = [',
    ...table.map((row) => `  [${row.join(', ')}],`),
    '];\n',
  ].join('\n');
  return [
    { path: shaderPath, text: shader.replace(/(array<u32, \d+>\(\n)[^)]*(\);)/, `$1${rows}$2`) },
    { path: 'src/rng/normal_table.ts', text: host },
  ].map(({ path, text }) => {
    const stale = readFileSync(join(ROOT, path), { encoding: 'utf8', flag: 'a+' }) !== text;
    return { path, text, stale };
  });
}

if (process.argv[1]?.endsWith('make-normal-table.ts')) {
  for (const { path, text, stale } of generate()) if (stale) writeFileSync(join(ROOT, path), text);
}
