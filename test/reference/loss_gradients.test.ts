import { describe, expect, it } from 'vitest';
import {
  combined,
  lookup,
  lookupGradient,
  lossGradient,
  numericalGradient,
  patches,
  randn,
  relError,
  resized,
  sampleLosses,
  sinusoids,
} from './index.ts';

const TOLERANCE = 1e-7; // central differences in f64: rounding ~ 1e-16 / 1e-6 of the sum, truncation ~ 1e-12

describe('f64 gradients of losses and lookups against central differences', () => {
  it.each([
    [0, false],
    [0.3, false],
    [0, true],
    [0.3, true],
  ])('loss with c = %s, cosine %s', (c, cosine) => {
    const sizes = { batch: 3, channels: 4, pixels: 5, c, cosine };
    const [target, prediction, weights] = [randn(60, 1), randn(60, 2), randn(3, 3)];
    const numeric = numericalGradient(
      (p) => sampleLosses({ ...sizes, target, prediction: p }).losses,
      prediction,
      weights.map((w) => w / 3),
    );
    expect(relError(lossGradient({ ...sizes, target, prediction }, weights), numeric)).toBeLessThan(TOLERANCE);
  });

  it.each([0.5, 0.75, 1])('loss with mean squares to the power %s', (power) => {
    const sizes = { batch: 3, channels: 4, pixels: 5, c: 0.01, cosine: false, power };
    const [target, prediction, weights] = [randn(60, 1), randn(60, 2), randn(3, 3)];
    const numeric = numericalGradient(
      (p) => sampleLosses({ ...sizes, target, prediction: p }).losses,
      prediction,
      weights.map((w) => w / 3),
    );
    expect(relError(lossGradient({ ...sizes, target, prediction }, weights), numeric)).toBeLessThan(TOLERANCE);
  });

  it('loss where every third pixel has a target without direction', () => {
    const sizes = { batch: 2, channels: 4, pixels: 6, c: 0, cosine: true };
    const [prediction, weights] = [randn(48, 2), randn(2, 3)];
    const target = randn(48, 1).map((v, i) => (i % 3 === 0 ? 0 : v));
    const numeric = numericalGradient(
      (p) => sampleLosses({ ...sizes, target, prediction: p }).losses,
      prediction,
      weights.map((w) => w / 2),
    );
    expect(relError(lossGradient({ ...sizes, target, prediction }, weights), numeric)).toBeLessThan(TOLERANCE);
  });

  it('loss by hand: c = 4 and differences of 3 give 5 - 4; opposite vectors are 2 apart', () => {
    const problem = {
      batch: 1,
      channels: 2,
      pixels: 1,
      c: 4,
      cosine: true,
      prediction: [1.5, 1.5],
      target: [-1.5, -1.5],
    };
    expect(sampleLosses(problem).losses[0]).toBeCloseTo(1 + 2, 12);
    expect(sampleLosses(problem).roots[0]).toBeCloseTo(5, 12);
  });

  it('embedding', () => {
    const [table, dout, index] = [randn(20, 1), randn(24, 2), [3, 0, 3, 4, 3, 1]];
    const numeric = numericalGradient((v) => lookup(v, index, 4), table, dout);
    expect(relError(lookupGradient(index, dout, 5, 4), numeric)).toBeLessThan(TOLERANCE);
  });

  it('patches of a picture written out by hand, in both orders', () => {
    const sizes = { batch: 1, channels: 2, height: 2, width: 4, patch: 2 };
    const x = [0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17];
    expect([...patches(x, sizes, false)]).toEqual([0, 1, 4, 5, 10, 11, 14, 15, 2, 3, 6, 7, 12, 13, 16, 17]);
    expect([...patches(x, sizes, true)]).toEqual([0, 10, 1, 11, 4, 14, 5, 15, 2, 12, 3, 13, 6, 16, 7, 17]);
  });

  it('rows cut and padded, and a combination, written out by hand', () => {
    expect([...resized([1, 2, 3, 4, 5, 6], 2, 3, 2)]).toEqual([1, 2, 4, 5]);
    expect([...resized([1, 2, 3, 4], 2, 2, 3)]).toEqual([1, 2, 0, 3, 4, 0]);
    const terms = [
      [9, 1, 2, 3, 4],
      [10, 20, 30, 40],
    ];
    const sizes = { batch: 2, n: 2, terms, offsets: [1, 0], coefs: [7, 2, 1, 3, 0.5], coefOffset: 1 };
    expect([...combined({ ...sizes, coefStride: 2 })]).toEqual([12, 24, 24, 32]);
    expect([...combined({ ...sizes, coefStride: 0 })]).toEqual([12, 24, 36, 48]);
  });

  it('sinusoids are unit pairs, the slowest nearly still', () => {
    const out = sinusoids([0.5], 9, 1e4);
    for (let i = 0; i < 4; i++) expect(Math.hypot(out[i] as number, out[i + 4] as number)).toBeCloseTo(1, 12);
    expect(out[0]).toBeCloseTo(Math.cos(0.5), 12);
    expect(out[7]).toBeCloseTo(0.5 / 1000, 9);
    expect(out[8]).toBe(0);
  });
});
