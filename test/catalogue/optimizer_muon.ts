import { gradStatsGroups, muonMomentum, muonScale, muonStep } from '../../src/kernels/optimizer.ts';
import { muonHyper } from '../../src/optim/hyper.ts';
import { cleaned } from '../reference/optimizer.ts';
import { type KernelCase, prepared } from './case.ts';
import { type Extra, padded, randn, repadded } from './optimizer_data.ts';

const NUMBERS = { lr: 0.02, momentum: 0.9, weightDecay: 0.1 };

/** Written from the middle of its outputs on: what lies before must stay. */
export function muonMomentumCase(count: number, held: boolean, extra: Extra = {}): KernelCase {
  const groups = gradStatsGroups(count);
  return {
    kernel: 'muon_momentum',
    name: `${held ? 'held' : 'momentum'} ${count}`,
    variant: held ? 'held' : 'momentum',
    shape: [count],
    tolerance: 3e-6,
    toleranceFrom: 'f32 rounding of some operations and of sums in order on one lane',
    flops: count * 9,
    bytes: count * 16,
    ...extra,
    prepare: (device) => {
      const kernel = muonMomentum.prepare(device);
      const lanes = kernel.knobs.LANES as number;
      const [grad, m] = [randn(count, 2, 3), randn(count, 3, 0.1)];
      for (let i = 5; i < count; i += 29) grad[i] = Number.NaN;
      const before = new Float32Array(3 + count).fill(-5);
      const partial = new Float32Array(2 + groups).fill(-7);
      const all = { grad: padded(grad), m: padded(m) };
      return prepared(
        kernel,
        { count, x_offset: 3, partial_offset: 2 },
        {
          inputs: {
            ...all,
            x: before,
            partial,
            hyper: muonHyper(NUMBERS),
            clip: new Float32Array([0.25, 4, 0, held ? 1 : 0]),
          },
          outputs: { m: all.m.length, x: before.length, partial: partial.length },
          oracle: () => {
            const g = cleaned(grad, 0.25);
            const b = NUMBERS.momentum;
            const next = g.map((v, i) => b * (m[i] as number) + (1 - b) * v);
            const ahead = g.map((v, i) => (1 - b) * v + b * (next[i] as number));
            const sums = Float64Array.from(partial);
            ahead.forEach((v, i) => {
              sums[2 + (Math.floor(Math.floor(i / 4) / lanes) % groups)]! += v * v;
            });
            for (let i = 0; i < groups; i++) sums[2 + i]! += 7;
            return {
              m: repadded(held ? Float64Array.from(m) : next),
              x: [...before.subarray(0, 3), ...ahead],
              partial: sums,
            };
          },
        },
      );
    },
  };
}

export function muonScaleCase(matrices: number, groups: number, extra: Extra = {}): KernelCase {
  return {
    kernel: 'muon_scale',
    name: `${matrices} of ${groups} sums`,
    variant: 'scale',
    shape: [matrices, groups],
    tolerance: 1e-6,
    toleranceFrom: 'f32 rounding of a sum of positive terms and a root',
    flops: matrices * groups,
    bytes: 4 * matrices * groups,
    ...extra,
    prepare: (device) => {
      const partial = randn(matrices * groups, 6).map((v) => v * v);
      return prepared(
        muonScale.prepare(device),
        { matrices, groups },
        {
          inputs: { partial },
          outputs: { scales: matrices },
          oracle: () => ({
            scales: Array.from({ length: matrices }, (_, i) => {
              const squares = partial.subarray(i * groups, (i + 1) * groups).reduce((a, b) => a + b, 0);
              return 1 / (Math.sqrt(squares) + 1e-7);
            }),
          }),
        },
      );
    },
  };
}

export function muonStepCase(count: number, held: boolean, extra: Extra = {}): KernelCase {
  return {
    kernel: 'muon_step',
    name: `${held ? 'held' : 'step'} ${count}`,
    variant: held ? 'held' : 'step',
    shape: [count],
    tolerance: 1e-6,
    toleranceFrom: 'f32 rounding of some operations, 8 ulp',
    flops: count * 5,
    bytes: count * 12,
    ...extra,
    prepare: (device) => {
      const [param, x] = [randn(count, 1), randn(count + 3, 2)];
      const inputs = {
        param: padded(param),
        x,
        hyper: muonHyper(NUMBERS),
        clip: new Float32Array([1, 1, 0, held ? 1 : 0]),
      };
      const { lr, weightDecay } = NUMBERS;
      const moved = (p: number, i: number) => p * (1 - lr * weightDecay) - lr * 1.5 * (x[i + 3] as number);
      return prepared(
        muonStep.prepare(device),
        { count, x_offset: 3, size: 1.5 },
        {
          inputs,
          outputs: { param: inputs.param.length },
          oracle: () => ({ param: repadded(Float64Array.from(param, (p, i) => (held ? p : moved(p, i)))) }),
        },
      );
    },
  };
}
