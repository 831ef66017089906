import { describe, expect, it } from 'vitest';
import {
  type CrossEntropyProblem,
  crossEntropy,
  crossEntropyGradient,
  crossEntropyStats,
  numericalGradient,
  randn,
  relError,
  softmax,
  softmaxGradient,
} from './index.ts';

const TOLERANCE = 1e-7; // central differences in f64: rounding ~ 1e-16 / 1e-6 of the sum, truncation ~ 1e-12
const [rows, cols] = [5, 7];
const x = randn(rows * cols, 1).map((v) => 3 * v);

describe('f64 gradients of softmax and cross entropy against central differences', () => {
  it.each([
    [false, 1],
    [true, 1],
    [false, 0.3],
    [true, -2],
  ])('softmax, log %s, scale %s', (log, scale) => {
    const dy = randn(rows * cols, 2);
    const forward = (v: ArrayLike<number>) => softmax({ rows, cols, x: v, log, scale });
    const ours = softmaxGradient({ rows, cols, y: forward(x), log, scale }, dy);
    expect(relError(ours, numericalGradient(forward, x, dy))).toBeLessThan(TOLERANCE);
  });

  const targets = randn(rows * cols, 3).map(Math.abs); // that add up to anything
  const labels = [3, 0, 6, 2, 2];
  it.each<[string, Partial<CrossEntropyProblem>]>([
    ['labels', { labels }],
    ['smoothed labels', { labels, smoothing: 0.2 }],
    ['labels, one left out', { labels, smoothing: 0.2, ignoreIndex: 6 }],
    ['targets', { targets }],
    ['smoothed targets', { targets, smoothing: 0.3 }],
  ])('cross entropy with %s', (_, how) => {
    const dloss = randn(rows, 4);
    const forward = (logits: ArrayLike<number>) => crossEntropy({ rows, cols, logits, ...how });
    const ours = crossEntropyGradient({ rows, cols, logits: x, ...how }, dloss);
    expect(relError(ours, numericalGradient(forward, x, dloss))).toBeLessThan(TOLERANCE);
    // The stats say the same: exp(z - largest) times the second is softmax times the sum of the weights.
    const stats = crossEntropyStats({ rows, cols, logits: x, ...how });
    const sums = Array.from({ length: rows }, (_, r) =>
      x.subarray(r * cols, (r + 1) * cols).reduce((sum, v) => sum + Math.exp(v - (stats[2 * r] as number)), 0),
    );
    const total = (r: number) => (sums[r] as number) * (stats[2 * r + 1] as number);
    for (let r = 0; r < rows; r++) {
      const weights = how.targets?.length ? targets.subarray(r * cols, (r + 1) * cols).reduce((a, b) => a + b, 0) : 1;
      const smoothing = how.smoothing ?? 0;
      const wanted = labels[r] === how.ignoreIndex ? 0 : (1 - smoothing) * weights + smoothing;
      expect(total(r)).toBeCloseTo(wanted, 12);
    }
  });

  it('by hand: logits of log 1, log 2, log 5, label 1, and half smoothed', () => {
    const logits = [0, Math.log(2), Math.log(5)];
    expect([...softmax({ rows: 1, cols: 3, x: logits })].map((v) => 8 * v)).toEqual([
      expect.closeTo(1, 12),
      expect.closeTo(2, 12),
      expect.closeTo(5, 12),
    ]);
    expect(crossEntropy({ rows: 1, cols: 3, logits, labels: [1] })[0]).toBeCloseTo(Math.log(4), 12);
    const smoothed = Math.log(8) - Math.log(2) / 2 - Math.log(10) / 6;
    expect(crossEntropy({ rows: 1, cols: 3, logits, labels: [1], smoothing: 0.5 })[0]).toBeCloseTo(smoothed, 12);
  });
});
