import { adamStep, cautiousCount, cautiousScale, lionStep } from '../../src/kernels/optimizer.ts';
import { adamHyper, lionHyper } from '../../src/optim/hyper.ts';
import { agreeing, cadamw, cautiousScaleOf, cleaned, clion } from '../reference/optimizer.ts';
import { type KernelCase, prepared } from './case.ts';

import { type Extra, NUMBERS, padded, randn, repadded } from './optimizer_data.ts';

/** A masked step of Adam or Lion over five tensors in turn, 64 elements each. */
export function cautiousStepCase(form: 'adam' | 'lion', count: number, extra: Extra = {}): KernelCase {
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
export function countCase(sizes: readonly number[], offset: number, extra: Extra = {}): KernelCase {
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

export function scaleCase(form: 'adam' | 'lion', tensors: number, extra: Extra = {}): KernelCase {
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
