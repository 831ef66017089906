import { adamStep, clipScale, ema, gradStats, gradStatsGroups, lionStep } from '../../src/kernels/optimizer.ts';
import { type AdamType, adamHyper, lionHyper } from '../../src/optim/hyper.ts';
import { adam, adamw, average, cleaned, lion, radam } from '../reference/optimizer.ts';
import { type KernelCase, prepared } from './case.ts';
import { cautiousStepCase, countCase, scaleCase } from './optimizer_cautious.ts';
import { dadaptCase } from './optimizer_dadapt.ts';
import { BENCH, type Extra, LARGE, padded, randn, repadded } from './optimizer_data.ts';
import { lossScaleCases } from './optimizer_loss_scale.ts';
import { muonMomentumCase, muonScaleCase, muonStepCase } from './optimizer_muon.ts';
import { outerStepCase } from './optimizer_outer.ts';

function adamCase(
  type: Exclude<AdamType, 'CAdamW'>,
  count: number,
  step: number,
  weightDecay: number,
  extra: Extra = {},
  /** The rate at which an average comes along. */
  rate?: number,
  /** With a copy of f16. */
  half = false,
): KernelCase {
  const averaged = rate !== undefined;
  return {
    kernel: 'adam_step',
    name: `${type} ${count}, step ${step}, decay ${weightDecay}${averaged ? `, average ${rate}` : ''}${half ? ', half' : ''}`,
    variant: `${type}${averaged ? '+average' : ''}${half ? '+half' : ''}`,
    ...(half && { needs: ['shader-f16'] }),
    shape: [count],
    tolerance: 1e-6,
    toleranceFrom: 'f32 rounding of a dozen operations, 8 ulp',
    flops: count * 16,
    bytes: count * ((averaged ? 36 : 28) + (half ? 2 : 0)),
    ...extra,
    prepare: (device) => {
      const numbers = { lr: 0.01, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay };
      const param = randn(count, 1);
      const grad = randn(count, 2, 3);
      const m = randn(count, 3, 0.1);
      const v = randn(count, 4).map((x) => x * x);
      for (let i = 5; i < count; i += 29)
        grad[i] = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY][i % 3] as number;
      const clip = new Float32Array([0.25, 4, 0, 0]);
      const all = { param: padded(param), grad: padded(grad), m: padded(m), v: padded(v) };
      const old = randn(count, 5);
      return prepared(
        adamStep.prepare(device, { average: averaged, half }),
        { count, tensors: 0 },
        {
          inputs: {
            ...all,
            hyper: new Float32Array([...adamHyper(type, numbers, step), rate ?? 0]),
            clip,
            ...(averaged && { average: padded(old) }),
          },
          outputs: {
            param: all.param.length,
            m: all.m.length,
            v: all.v.length,
            ...(averaged && { average: all.param.length }),
            ...(half && { half: all.param.length }),
          },
          halves: ['half'],
          oracle: () => {
            const next = { Adam: adam, AdamW: adamw, RAdam: radam }[type](
              { param, m, v },
              cleaned(grad, 0.25),
              numbers,
              step,
            );
            const mean = averaged && average(old, Float32Array.from(next.param), rate);
            return {
              param: repadded(next.param),
              m: repadded(next.m),
              v: repadded(next.v),
              ...(mean && { average: repadded(mean) }),
              ...(half && { half: repadded(next.param) }),
            };
          },
        },
      );
    },
  };
}

function lionCase(count: number, weightDecay: number, extra: Extra = {}): KernelCase {
  return {
    kernel: 'lion_step',
    name: `${count}, decay ${weightDecay}`,
    variant: 'Lion',
    shape: [count],
    tolerance: 1e-6,
    toleranceFrom: 'f32 rounding of some operations, 8 ulp',
    flops: count * 9,
    bytes: count * 20,
    ...extra,
    prepare: (device) => {
      const numbers = { lr: 0.01, beta1: 0.9, beta2: 0.95, weightDecay };
      const [param, grad, m] = [randn(count, 1), randn(count, 2, 3), randn(count, 3, 0.1)];
      for (let i = 5; i < count; i += 29) grad[i] = Number.NaN;
      const clip = new Float32Array([0.25, 4, 0, 0]);
      const all = { param: padded(param), grad: padded(grad), m: padded(m) };
      return prepared(
        lionStep.prepare(device),
        { count, tensors: 0 },
        {
          inputs: { ...all, hyper: lionHyper(numbers), clip },
          outputs: { param: all.param.length, m: all.m.length },
          halves: ['half'],
          oracle: () => {
            const next = lion({ param, m }, cleaned(grad, 0.25), numbers);
            return { param: repadded(next.param), m: repadded(next.m) };
          },
        },
      );
    },
  };
}

function statsCase(count: number, offset: number, extra: Extra = {}): KernelCase {
  const groups = gradStatsGroups(count);
  return {
    kernel: 'grad_stats',
    name: `${count} into ${groups} from ${offset}`,
    variant: 'stats',
    shape: [count],
    tolerance: 3e-6,
    toleranceFrom: 'f32 rounding of a sum of positive terms a group, in order on one lane',
    flops: count * 2,
    bytes: count * 4,
    ...extra,
    prepare: (device) => {
      const kernel = gradStats.prepare(device);
      const lanes = kernel.knobs.LANES as number;
      const grad = randn(count, 5);
      const before = new Float32Array(offset * 2).fill(-5);
      const partial = new Float32Array((offset + groups) * 2);
      partial.set(before);
      return prepared(
        kernel,
        { count, partial_offset: offset },
        {
          inputs: { grad: padded(grad), partial },
          outputs: { partial: partial.length },
          oracle: () => {
            const sums = new Float64Array(partial.length);
            sums.set(before);
            for (let i = 0; i < count; i++) {
              const group = Math.floor(Math.floor(i / 4) / lanes) % groups;
              sums[(offset + group) * 2]! += (grad[i] as number) ** 2;
            }
            return { partial: sums };
          },
        },
      );
    },
  };
}

function clipCase(groups: number, maxNorm: number, extra: Extra = {}): KernelCase {
  return {
    kernel: 'clip_scale',
    name: `${groups} sums, limit ${maxNorm}`,
    variant: maxNorm > 0 ? 'clip' : 'measure',
    shape: [groups],
    tolerance: 1e-6,
    toleranceFrom: 'f32 rounding of a sum of positive terms',
    flops: groups * 2,
    bytes: groups * 8,
    ...extra,
    prepare: (device) => {
      const sums = randn(groups, 6).map((x) => x * x);
      const partial = new Float32Array(groups * 2);
      sums.forEach((s, i) => {
        partial[i * 2] = s;
      });
      return prepared(
        clipScale.prepare(device),
        { groups },
        {
          inputs: { partial, limits: new Float32Array([maxNorm, 0]) },
          outputs: { clip: 4 },
          oracle: () => {
            const norm = Math.sqrt(sums.reduce((a, b) => a + b, 0));
            return { clip: [maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1, norm, 0, 0] };
          },
        },
      );
    },
  };
}

function emaCase(count: number, decay: number, extra: Extra = {}): KernelCase {
  return {
    kernel: 'ema',
    name: `${count}, decay ${decay}`,
    variant: 'ema',
    shape: [count],
    tolerance: 2e-7,
    toleranceFrom: 'f32 rounding of three operations',
    flops: count * 3,
    bytes: count * 12,
    ...extra,
    prepare: (device) => {
      const old = randn(count, 7);
      const param = randn(count, 8);
      const rate = new Float32Array([decay]);
      const inputs = { average: padded(old), param: padded(param), decay: rate };
      return prepared(
        ema.prepare(device),
        { count },
        {
          inputs,
          outputs: { average: inputs.average.length },
          oracle: () => ({ average: repadded(average(old, param, rate[0] as number)) }),
        },
      );
    },
  };
}

export const optimizerCases: KernelCase[] = [
  adamCase('AdamW', 41, 1, 0.01, { smoke: true }),
  adamCase('AdamW', 1, 3, 0),
  adamCase('AdamW', 65539, 1000, 0.1),
  adamCase('Adam', 257, 1, 0.01),
  adamCase('Adam', 1027, 12, 0),
  adamCase('RAdam', 113, 3, 0.01), // momentum alone
  adamCase('RAdam', 257, 100, 0.01),
  adamCase('AdamW', 41, 1, 0.01, {}, 0.999),
  adamCase('AdamW', 1, 3, 0, {}, 0),
  adamCase('RAdam', 65539, 100, 0.1, {}, 0.99),
  adamCase('AdamW', 1029, 2, 0.1, {}, 0.9, true),
  adamCase('AdamW', 41, 2, 0.1, {}, undefined, true),
  adamCase('AdamW', LARGE, 10, 0, BENCH),
  adamCase('AdamW', LARGE, 10, 0, BENCH, 0.999, true),
  adamCase('AdamW', LARGE, 10, 0, BENCH, 0.999),
  lionCase(41, 0.01, { smoke: true }),
  lionCase(1, 0),
  lionCase(65539, 0.1),
  ...(['adam', 'lion'] as const).flatMap((form) => [
    cautiousStepCase(form, 257, { smoke: true }),
    cautiousStepCase(form, 1),
    cautiousStepCase(form, 65539),
    scaleCase(form, 41, { smoke: true }),
    scaleCase(form, 1),
    scaleCase(form, 113),
  ]),
  countCase([113, 1, 257], 0, { smoke: true }),
  countCase([16384, 16384, 41], 5),
  countCase(
    Array.from({ length: 1024 }, () => 16384),
    0,
    BENCH,
  ),
  ...(['moments', 'distance', 'step'] as const).flatMap((part) => [
    dadaptCase(part, 41, { smoke: true }),
    dadaptCase(part, 1),
    dadaptCase(part, 1025),
  ]),
  dadaptCase('moments', 65539),
  dadaptCase('moments', LARGE, BENCH),
  ...[false, true].flatMap((held) => [
    muonMomentumCase(41, held, { smoke: true }),
    muonMomentumCase(1, held),
    muonMomentumCase(65539, held),
    muonStepCase(41, held, { smoke: true }),
    muonStepCase(1, held),
    muonStepCase(1027, held),
  ]),
  muonMomentumCase(LARGE, false, BENCH),
  muonStepCase(LARGE, false, BENCH),
  muonScaleCase(3, 41, { smoke: true }),
  muonScaleCase(1, 1),
  muonScaleCase(7, 1024),
  statsCase(3, 0, { smoke: true }),
  statsCase(4097, 5),
  statsCase(113 * 4096 + 1, 2),
  statsCase(1024 * 4096 + 4099, 1), // past MAX_GROUPS
  statsCase(LARGE, 0, BENCH),
  clipCase(3, 1, { smoke: true }),
  clipCase(1, 0),
  clipCase(1025, 0.5),
  clipCase(257, 1e4),
  ...lossScaleCases,
  emaCase(41, 0.999, { smoke: true }),
  emaCase(1, 0.5),
  emaCase(65539, 0.99),
  emaCase(1026, 0),
  emaCase(LARGE, 0.999, BENCH),
  outerStepCase(41, 0.7, 0.9, { smoke: true }),
  outerStepCase(1, 1, 0),
  outerStepCase(65539, 0.7, 0.9),
  outerStepCase(LARGE, 0.7, 0.9, BENCH),
];
