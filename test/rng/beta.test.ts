import { describe, expect, it } from 'vitest';
import { FixableError } from '../../src/kernel/errors.ts';
import { beta, STREAM } from '../../src/rng/philox.ts';

const N = 50000;

/** The distribution function of Beta(a, b), a, b >= 1, summed over a fine grid. */
function cumulative(a: number, b: number): (x: number) => number {
  const cells = 20000;
  const sums = new Float64Array(cells + 1);
  for (let i = 0; i < cells; i++) {
    const x = (i + 0.5) / cells;
    sums[i + 1] = (sums[i] as number) + x ** (a - 1) * (1 - x) ** (b - 1);
  }
  return (x) => {
    const cell = Math.min(cells - 1, Math.floor(x * cells));
    const [low, high] = [sums[cell] as number, sums[cell + 1] as number];
    return (low + (x * cells - cell) * (high - low)) / (sums[cells] as number);
  };
}

const CASES: { a: number; b: number; cdf: (x: number) => number }[] = [
  { a: 1, b: 1, cdf: (x) => x },
  { a: 2.4, b: 2.4, cdf: cumulative(2.4, 2.4) },
  { a: 0.8, b: 1, cdf: (x) => x ** 0.8 },
  { a: 1, b: 3, cdf: (x) => 1 - (1 - x) ** 3 },
  { a: 0.5, b: 0.5, cdf: (x) => (2 / Math.PI) * Math.asin(Math.sqrt(x)) },
  { a: 2, b: 8, cdf: cumulative(2, 8) },
];

describe('beta', () => {
  for (const { a, b, cdf } of CASES) {
    it(`(${a}, ${b}) has its mean and variance within 4 sigma and passes Kolmogorov-Smirnov`, () => {
      const sample = Float64Array.from({ length: N }, (_, i) => beta(77, STREAM.time, 9, i, a, b));
      const mean = a / (a + b);
      const variance = (a * b) / ((a + b) ** 2 * (a + b + 1));
      const average = (f: (x: number) => number) => sample.reduce((s, x) => s + f(x), 0) / N;
      const spread = average((x) => (x - mean) ** 2);
      const fourth = average((x) => (x - mean) ** 4);
      expect(Math.abs(average((x) => x) - mean)).toBeLessThan(4 * Math.sqrt(variance / N));
      expect(Math.abs(spread - variance)).toBeLessThan(4 * Math.sqrt((fourth - spread ** 2) / N));
      const distance = sample.sort().reduce((worst, x, i) => Math.max(worst, Math.abs(cdf(x) - (i + 0.5) / N)), 0);
      expect(Math.sqrt(N) * distance).toBeLessThan(1.95);
    });
  }

  it('depends on its arguments alone, in any order of calls', () => {
    const draw = (i: number) => beta(1, STREAM.time, 3, i, 2.4, 2.4);
    const forward = [0, 1, 2, 3].map(draw);
    expect([3, 2, 1, 0].map(draw).reverse()).toEqual(forward);
    expect(new Set(forward).size).toBe(4);
  });

  it('stays within [0, 1] where gamma numbers underflow, and refuses what does not exist', () => {
    for (let i = 0; i < 500; i++) {
      const x = beta(1, STREAM.time, 0, i, 0.001, 0.002);
      expect(x >= 0 && x <= 1).toBe(true);
    }
    expect(() => beta(1, 1, 0, 0, 0, 1)).toThrow(FixableError);
    expect(() => beta(1, 1, 0, 0, Number.POSITIVE_INFINITY, 1)).toThrow(FixableError);
  });
});
