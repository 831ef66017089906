import { describe, expect, it } from 'vitest';
import {
  convolutionStart,
  convolved,
  convolvedGradients,
  filteredDown,
  filteredUp,
  forcedRows,
  groupNormed,
  groupNormGradients,
  labelMixed,
  linearlyAttended,
  linearlyAttendedGradients,
  normedWeights,
  numericalGradient,
  randn,
  relError,
  scaledSilu,
} from './index.ts';

const TOLERANCE = 1e-7; // central differences in f64

describe('f64 gradients of U-nets against central differences', () => {
  it.each([
    { stride: 1, padding: [1, 1, 1, 1], groups: 1 },
    { stride: 2, padding: [0, 2, 1, 0], groups: 2 },
  ] as const)('convolution %o', (how) => {
    const o = { batch: 2, height: 5, width: 4, channels: 4, out_channels: 6, kernel: [3, 2] as const, ...how };
    const [x, w] = [randn(2 * 5 * 4 * 4, 1), randn((6 * 6 * 4) / how.groups, 2)];
    const dy = randn(convolved(x, w, o).length, 3);
    const { dx, dweight } = convolvedGradients(x, w, dy, o);
    expect(
      relError(
        dx,
        numericalGradient((v) => convolved(v, w, o), x, dy),
      ),
    ).toBeLessThan(TOLERANCE);
    expect(
      relError(
        dweight,
        numericalGradient((v) => convolved(x, v, o), w, dy),
      ),
    ).toBeLessThan(TOLERANCE);
    const first = convolutionStart(x, w, dy, o, 17);
    expect(relError(first.y, convolved(x, w, o).subarray(0, 17))).toBeLessThan(1e-12);
    expect(relError(first.dx, dx.subarray(0, 17))).toBeLessThan(1e-12);
    expect(relError(first.dweight, dweight.subarray(0, 17))).toBeLessThan(1e-12);
  });

  it.each([false, true])('normalised weights, forced: %s', (forced) => {
    const o = { rows: 6, depth: 2, taps: 3, interleave: 3, normed: true, forced, eps: 0.1, scale: 0.7 };
    const [w, dout] = [randn(36, 1), randn(36, 2)];
    const { dweight, dgain } = normedWeights(w, { ...o, gain: 1.3 }, dout);
    // Of forced weights the gradient is by what they were overwritten with.
    const at = forced ? forcedRows(w, 6, 0.1) : w;
    const numeric = numericalGradient((v) => normedWeights(v, { ...o, forced: false, gain: 1.3 }).out, at, dout);
    expect(relError(dweight, numeric)).toBeLessThan(TOLERANCE);
    const byGain = (v: Float64Array) => normedWeights(w, { ...o, gain: v[0] as number }).out;
    const total = dgain.reduce((sum, v) => sum + v, 0);
    expect(relError([total], numericalGradient(byGain, [1.3], dout))).toBeLessThan(TOLERANCE);
  });

  it.each([false, true])('group norm, silu: %s', (silu) => {
    const o = { batch: 2, pixels: 5, cols: 6, groups: 3, eps: 0.1, silu };
    const tensors = { x: randn(60, 1), weight: randn(6, 2), bias: randn(6, 3) };
    const dy = randn(60, 4);
    const gradients = groupNormGradients({ ...o, ...tensors }, dy);
    for (const name of ['x', 'weight', 'bias'] as const) {
      const numeric = numericalGradient((v) => groupNormed({ ...o, ...tensors, [name]: v }), tensors[name], dy);
      expect(relError(gradients[`d${name}`], numeric), name).toBeLessThan(TOLERANCE);
    }
  });

  it('filters, each the other’s transpose', () => {
    const o = { batch: 1, height: 3, width: 2, large_h: 6, large_w: 4, channels: 2, before: 1, scale: 0.5 };
    const problem = { ...o, taps: [1, 3, 2, 1] };
    const [large, small] = [randn(48, 1), randn(12, 2)];
    const down = numericalGradient((v) => filteredDown(v, problem), large, small);
    expect(relError(filteredUp(small, problem), down)).toBeLessThan(TOLERANCE);
  });

  it('scaled SiLU and mixed labels', () => {
    const size = { pixels: 3, cols: 4 };
    const [x, scale, dy] = [randn(24, 1), randn(8, 2), randn(24, 3)];
    const { dx, dscale } = scaledSilu(x, scale, size, dy);
    expect(
      relError(
        dx,
        numericalGradient((v) => scaledSilu(v, scale, size).y, x, dy),
      ),
    ).toBeLessThan(TOLERANCE);
    const sums = new Float64Array(8);
    dscale.forEach((v, i) => {
      const at = Math.floor(i / 12) * 4 + (i % 4);
      sums[at] = (sums[at] as number) + v;
    });
    expect(
      relError(
        sums,
        numericalGradient((v) => scaledSilu(x, v, size).y, scale, dy),
      ),
    ).toBeLessThan(TOLERANCE);

    const how = { cols: 4, classes: 3, own: 0.6, scale: 1.4 };
    const [e, w, labels] = [randn(16, 1), randn(12, 2), [1, 3, 1, 0]];
    const dout = randn(16, 3);
    const { de, dweight } = labelMixed(e, w, labels, how, dout);
    expect(
      relError(
        de,
        numericalGradient((v) => labelMixed(v, w, labels, how).out, e, dout),
      ),
    ).toBeLessThan(TOLERANCE);
    const byWeight = numericalGradient((v) => labelMixed(e, v, labels, how).out, w, dout);
    expect(relError(dweight, byWeight)).toBeLessThan(TOLERANCE);
  });

  it('ReLU linear attention', () => {
    const o = { batch: 2, n: 5, heads: 2, dim: 3 };
    const [qkv, dy] = [randn(2 * 5 * 2 * 9, 1), randn(2 * 5 * 2 * 3, 2)];
    const eps = 1e-3;
    const { dqkv, dstate } = linearlyAttendedGradients(qkv, dy, o, eps);
    const numeric = numericalGradient((v) => linearlyAttended(v, o, eps).out, qkv, dy);
    expect(relError(dqkv, numeric)).toBeLessThan(TOLERANCE);
    const parts = [0, 3].map((begin) => linearlyAttendedGradients(qkv, dy, o, eps, begin, begin === 0 ? 3 : 5).dstate);
    const sum = dstate.map((_, i) => (parts[0]?.[i] as number) + (parts[1]?.[i] as number));
    expect(relError(sum, dstate)).toBeLessThan(1e-12);
  });
});
