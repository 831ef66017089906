import { describe, expect, it } from 'vitest';
import {
  gatedSum,
  gatedSumGradients,
  gatedUnit,
  modulatedNorm,
  modulatedNormGradients,
  numericalGradient,
  pointwise,
  pointwiseSlope,
  randn,
  relError,
} from './index.ts';

const TOLERANCE = 1e-7; // central differences in f64: rounding ~ 1e-16 / 1e-6 of the sum, truncation ~ 1e-12

describe('f64 gradients against central differences', () => {
  it.each(['layer', 'rms', 'pixel'] as const)('%s norm, by every input', (kind) => {
    const [rows, cols, modRows] = [5, 7, 2];
    const tensors = {
      x: randn(rows * cols, 1),
      weight: randn(cols, 2),
      bias: randn(cols, 3),
      scale: randn(3 * cols, 4),
      shift: randn(3 * cols, 5),
    };
    const dy = randn(rows * cols, 6);
    const fixed = { rows, cols, kind, eps: kind === 'pixel' ? 0.2 : 1e-3, modRows };
    const gradients = modulatedNormGradients({ ...fixed, ...tensors }, dy);
    for (const name of ['x', 'weight', 'bias', 'scale', 'shift'] as const) {
      const forward = (v: Float64Array) => modulatedNorm({ ...fixed, ...tensors, [name]: v }).y;
      const numeric = numericalGradient(forward, tensors[name], dy);
      expect(relError(gradients[`d${name}`], numeric), name).toBeLessThan(TOLERANCE);
    }
  });

  it('pointwise nonlinearities and SwiGLU', () => {
    const x = randn(24, 1).map((v) => 3 * v);
    const dy = randn(24, 2);
    for (const act of ['gelu', 'gelu-erf', 'silu', 'sigmoid', 'tanh', 'erf'] as const) {
      const ours = x.map((v, i) => pointwiseSlope(act, v) * (dy[i] as number));
      expect(
        relError(
          ours,
          numericalGradient((v) => v.map((e) => pointwise(act, e)), x, dy),
        ),
      ).toBeLessThan(TOLERANCE);
    }
    const numeric = numericalGradient((v) => gatedUnit(v, 3, 4).y, x, dy.subarray(0, 12));
    expect(relError(gatedUnit(x, 3, 4, dy).dx12, numeric)).toBeLessThan(TOLERANCE);
  });

  it('gated residual', () => {
    const [x, h, dy, gate] = [randn(35, 1), randn(35, 2), randn(35, 3), randn(21, 4)];
    const o = { rows: 5, cols: 7, modRows: 2, x, h, gate };
    const { dh, dgate } = gatedSumGradients({ ...o, dy });
    expect(
      relError(
        dh,
        numericalGradient((v) => gatedSum({ ...o, h: v }), h, dy),
      ),
    ).toBeLessThan(TOLERANCE);
    expect(
      relError(
        dgate,
        numericalGradient((v) => gatedSum({ ...o, gate: v }), gate, dy),
      ),
    ).toBeLessThan(TOLERANCE);
  });
});
