import { dadaptDistance, dadaptMoments, dadaptStep, gradStatsGroups } from '../../src/kernels/optimizer.ts';
import { dadaptHyper } from '../../src/optim/hyper.ts';
import { cleaned, dadapt } from '../reference/optimizer.ts';
import { type KernelCase, prepared } from './case.ts';

import { type Extra, NUMBERS, padded, randn, repadded } from './optimizer_data.ts';

/** A clip that neither scales nor holds. */
const SOUND = new Float32Array([1, 1, 0, 0]);

export function dadaptCase(part: 'moments' | 'distance' | 'step', count: number, extra: Extra = {}): KernelCase {
  return {
    kernel: `dadapt_${part}`,
    name: `${part} ${count}`,
    variant: 'DAdamW',
    shape: [count],
    tolerance: 3e-6,
    toleranceFrom: 'f32 rounding of a dozen operations and of sums in order on one lane',
    flops: count * { moments: 20, distance: 2, step: 6 }[part],
    bytes: count * { moments: 28, distance: 8, step: 16 }[part],
    ...extra,
    prepare: (device) => {
      const [grad, m, s] = [randn(count, 2, 3), randn(count, 3, 0.1), randn(count, 9, 0.1)];
      // Mostly along the gradient, so that the sum of products is no difference of large numbers.
      for (let i = 0; i < count; i++) s[i] = Math.abs(s[i] as number) * Math.sign(grad[i] as number);
      const param = randn(count, 1);
      const v = randn(count, 4).map((x) => x * x + 0.01);
      const old = { d: 0.02, numerator: 0.003 };
      const distance = new Float32Array([old.d, old.numerator, 0, 0]);
      const { moments: hyper, step } = dadaptHyper(NUMBERS);
      if (part === 'step') {
        const after = new Float32Array([0.5, 1, old.d, 0]);
        const all = { param: padded(param), m: padded(m), v: padded(v) };
        return prepared(
          dadaptStep.prepare(device),
          { count },
          {
            inputs: { ...all, hyper: step, distance: after, clip: SOUND },
            outputs: { param: all.param.length },
            oracle: () => {
              // With betas of 1 the moments stay, and what is left of the published step is its second half.
              const state = { param, m, v, s, ...old };
              return { param: repadded(dadapt(state, grad, { ...NUMBERS, beta1: 1, beta2: 1 }).param) };
            },
          },
        );
      }
      if (part === 'distance') {
        const partial = randn(count * 2, 6).map(Math.abs);
        const sum = (odd: number) => partial.reduce((total, x, i) => total + (i % 2 === odd ? x : 0), 0);
        const r = Math.sqrt(NUMBERS.beta2);
        const numerator = r * old.numerator + (1 - r) * NUMBERS.lr * old.d * sum(0);
        return prepared(
          dadaptDistance.prepare(device),
          { groups: count },
          {
            inputs: { partial, hyper, distance, clip: SOUND },
            outputs: { distance: 4 },
            oracle: () => ({ distance: [Math.max(old.d, numerator / ((1 - r) * sum(1))), numerator, old.d, 0] }),
          },
        );
      }
      for (let i = 5; i < count; i += 29) grad[i] = Number.NaN;
      const groups = gradStatsGroups(count);
      const before = new Float32Array(2 * (1 + groups)).fill(-5);
      const kernel = dadaptMoments.prepare(device);
      const all = { grad: padded(grad), m: padded(m), v: padded(v), s: padded(s) };
      return prepared(
        kernel,
        { count, partial_offset: 1 },
        {
          inputs: { ...all, clip: new Float32Array([0.25, 4, 0, 0]), hyper, distance, partial: before },
          outputs: { m: all.m.length, v: all.v.length, s: all.s.length, partial: 2 * (1 + groups) },
          oracle: () => {
            const seen = cleaned(grad, 0.25);
            const next = dadapt({ param, m, v, s, ...old }, seen, NUMBERS);
            const partial = new Float64Array(2 * (1 + groups));
            partial.set(before.subarray(0, 2));
            const lanes = kernel.knobs.LANES as number;
            for (let i = 0; i < count; i++) {
              const group = 1 + (Math.floor(Math.floor(i / 4) / lanes) % groups);
              partial[2 * group]! +=
                ((seen[i] as number) * (s[i] as number)) / (Math.sqrt(v[i] as number) + NUMBERS.eps);
              partial[2 * group + 1]! += Math.abs(next.s[i] as number);
            }
            return { m: repadded(next.m), v: repadded(next.v), s: repadded(next.s), partial };
          },
        },
      );
    },
  };
}
