import {
  adamStep,
  cautiousCount,
  cautiousScale,
  clipScale,
  dadaptDistance,
  dadaptMoments,
  dadaptStep,
  ema,
  gradStats,
  gradStatsGroups,
  lionStep,
} from '../../src/kernels/optimizer.ts';
import { type AdamType, adamHyper, dadaptHyper, lionHyper } from '../../src/optim/hyper.ts';
import { normal } from '../../src/rng/philox.ts';
import {
  adam,
  adamw,
  agreeing,
  average,
  cadamw,
  cautiousScaleOf,
  cleaned,
  clion,
  dadapt,
  lion,
  radam,
} from '../reference/optimizer.ts';
import { type KernelCase, prepared } from './case.ts';

type Extra = Partial<KernelCase>;
const BENCH: Extra = { benchOnly: true };
const LARGE = 1 << 24;

const randn = (count: number, stream: number, scale = 1) =>
  Float32Array.from({ length: count }, (_, i) => scale * normal(2, stream, 0, i));

/** Flat buffers hold whole vec4s: what lies past `count` must be left as it was. */
function padded(values: Float32Array): Float32Array {
  const out = new Float32Array(Math.ceil(values.length / 4) * 4).fill(-77);
  out.set(values);
  return out;
}

/** The first `count` of an oracle's values, then the padding unchanged. */
const repadded = (values: Float64Array) =>
  Float64Array.from(padded(new Float32Array(values.length)), (v, i) => values[i] ?? v);

function adamCase(
  type: Exclude<AdamType, 'CAdamW'>,
  count: number,
  step: number,
  weightDecay: number,
  extra: Extra = {},
): KernelCase {
  return {
    kernel: 'adam_step',
    name: `${type} ${count}, step ${step}, decay ${weightDecay}`,
    variant: type,
    shape: [count],
    tolerance: 1e-6,
    toleranceFrom: 'f32 rounding of a dozen operations, 8 ulp',
    flops: count * 16,
    bytes: count * 28,
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
      return prepared(
        adamStep.prepare(device),
        { count, tensors: 0 },
        {
          inputs: { ...all, hyper: adamHyper(type, numbers, step), clip },
          outputs: { param: all.param.length, m: all.m.length, v: all.v.length },
          oracle: () => {
            const next = { Adam: adam, AdamW: adamw, RAdam: radam }[type](
              { param, m, v },
              cleaned(grad, 0.25),
              numbers,
              step,
            );
            return { param: repadded(next.param), m: repadded(next.m), v: repadded(next.v) };
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
          oracle: () => {
            const next = lion({ param, m }, cleaned(grad, 0.25), numbers);
            return { param: repadded(next.param), m: repadded(next.m) };
          },
        },
      );
    },
  };
}

const NUMBERS = { lr: 0.01, beta1: 0.9, beta2: 0.95, eps: 1e-6, weightDecay: 0.1 };

/** A masked step of Adam or Lion over five tensors in turn, 64 elements each. */
function cautiousStepCase(form: 'adam' | 'lion', count: number, extra: Extra = {}): KernelCase {
  return {
    kernel: form === 'adam' ? 'adam_step' : 'lion_step',
    name: `cautious ${count}`,
    variant: 'cautious',
    shape: [count],
    tolerance: 1e-6,
    toleranceFrom: 'f32 rounding of a dozen operations, 8 ulp',
    flops: count * 18,
    bytes: count * (form === 'adam' ? 28 : 20),
    ...extra,
    prepare: (device) => {
      const [param, grad, m] = [randn(count, 1), randn(count, 2, 3), randn(count, 3, 0.1)];
      const v = randn(count, 4).map((x) => x * x);
      for (let i = 5; i < count; i += 29) grad[i] = Number.NaN;
      const clip = new Float32Array([0.25, 4, 0, 0]);
      const scales = new Float32Array([1.5, 2, 3.25, 5, 1.125]);
      const owners = Uint32Array.from({ length: Math.ceil(count / 64) }, (_, i) => i % 5);
      const each = Float64Array.from({ length: count }, (_, i) => scales[Math.floor(i / 64) % 5] as number);
      const all = { param: padded(param), grad: padded(grad), m: padded(m) };
      const shared = { ...all, clip, scales, owners };
      const outputs = { param: all.param.length, m: all.m.length };
      const seen = cleaned(grad, 0.25);
      if (form === 'adam')
        return prepared(
          adamStep.prepare(device, { cautious: true }),
          { count, tensors: 5 },
          {
            inputs: { ...shared, v: padded(v), hyper: adamHyper('CAdamW', NUMBERS, 7) },
            outputs: { ...outputs, v: outputs.m },
            oracle: () => {
              const next = cadamw({ param, m, v }, seen, NUMBERS, 7, each);
              return { param: repadded(next.param), m: repadded(next.m), v: repadded(next.v) };
            },
          },
        );
      return prepared(
        lionStep.prepare(device, { cautious: true }),
        { count, tensors: 5 },
        {
          inputs: { ...shared, hyper: lionHyper(NUMBERS) },
          outputs,
          oracle: () => {
            const next = clion({ param, m }, seen, NUMBERS, each);
            return { param: repadded(next.param), m: repadded(next.m) };
          },
        },
      );
    },
  };
}

const EXACT_COUNTS = { tolerance: 0, toleranceFrom: 'whole numbers below 2^24' };

/** Pieces of the given numbers of elements, each from a multiple of 64 on. */
function countCase(sizes: readonly number[], offset: number, extra: Extra = {}): KernelCase {
  const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, n) => sum + Math.ceil(n / 64) * 64, 0));
  const elements = (starts.at(-1) as number) + (sizes.at(-1) as number);
  return {
    kernel: 'cautious_count',
    name: `${sizes.length} pieces of ${sizes[0]} from ${offset}`,
    variant: 'count',
    shape: [elements],
    ...EXACT_COUNTS,
    flops: elements * 4,
    bytes: elements * 8,
    ...extra,
    prepare: (device) => {
      const [grad, m] = [randn(elements, 2, 3), randn(elements, 3, 0.3)];
      for (let i = 5; i < elements; i += 29) grad[i] = Number.NaN;
      const before = new Float32Array(offset).fill(-5);
      const agreements = new Float32Array(offset + sizes.length);
      agreements.set(before);
      return prepared(
        cautiousCount.prepare(device),
        { elements, pieces: sizes.length, count_offset: offset },
        {
          inputs: {
            grad: padded(grad),
            m: padded(m),
            hyper: lionHyper(NUMBERS),
            clip: new Float32Array([0.25, 4, 0, 0]),
            pieces: Uint32Array.from(sizes.flatMap((n, i) => [(starts[i] as number) / 4, (starts[i] as number) + n])),
            agreements,
          },
          outputs: { agreements: agreements.length },
          oracle: () => {
            const mask = agreeing(m, cleaned(grad, 0.25), NUMBERS.beta1);
            const counts = sizes.map((n, i) => mask.slice(starts[i], (starts[i] as number) + n).filter(Boolean).length);
            return { agreements: [...before, ...counts] };
          },
        },
      );
    },
  };
}

function scaleCase(form: 'adam' | 'lion', tensors: number, extra: Extra = {}): KernelCase {
  return {
    kernel: 'cautious_scale',
    name: `${form} ${tensors}`,
    variant: form,
    shape: [tensors],
    tolerance: 1e-6,
    toleranceFrom: 'f32 rounding of a division, 2.5 ulp',
    flops: tensors * 6,
    bytes: tensors * 28,
    ...extra,
    prepare: (device) => {
      // Tensor i has i % 4 + 1 pieces of 10 elements; in the first of all, none agrees.
      const sizes = Array.from({ length: tensors }, (_, i) => (i % 4) + 1);
      const firsts = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0));
      const agreements = Float32Array.from({ length: sizes.reduce((a, b) => a + b, 0) }, (_, i) => (i * 7) % 11);
      const table = sizes.flatMap((n, i) => [firsts[i] as number, (firsts[i] as number) + n, n * 10]);
      return prepared(
        cautiousScale.prepare(device, { form }),
        { tensors, pieces: agreements.length },
        {
          inputs: { agreements, tensors: Uint32Array.from(table) },
          outputs: { scales: tensors },
          oracle: () => ({
            scales: sizes.map((n, i) => {
              const agree = agreements.slice(firsts[i], (firsts[i] as number) + n).reduce((a, b) => a + b, 0);
              return cautiousScaleOf(
                Array.from({ length: n * 10 }, (_, k) => k < agree),
                form,
              );
            }),
          }),
        },
      );
    },
  };
}

/** A clip that neither scales nor holds. */
const SOUND = new Float32Array([1, 1, 0, 0]);

function dadaptCase(part: 'moments' | 'distance' | 'step', count: number, extra: Extra = {}): KernelCase {
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
  adamCase('AdamW', LARGE, 10, 0, BENCH),
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
  statsCase(3, 0, { smoke: true }),
  statsCase(4097, 5),
  statsCase(113 * 4096 + 1, 2),
  statsCase(1024 * 4096 + 4099, 1), // past MAX_GROUPS
  statsCase(LARGE, 0, BENCH),
  clipCase(3, 1, { smoke: true }),
  clipCase(1, 0),
  clipCase(1025, 0.5),
  clipCase(257, 1e4),
  emaCase(41, 0.999, { smoke: true }),
  emaCase(1, 0.5),
  emaCase(65539, 0.99),
  emaCase(1026, 0),
  emaCase(LARGE, 0.999, BENCH),
];
