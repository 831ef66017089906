import { expect, it } from 'vitest';
import { type RateOptions, rateFactor } from '../../src/optim/rate.ts';

const over = (options: RateOptions, ...steps: number[]) => steps.map((step) => rateFactor(options, step));

it('is 1 where nothing is asked for, to the bit', () => {
  expect(over({}, 1, 2, 1e9)).toEqual([1, 1, 1]);
  expect(over({ lr_decay: 'constant', warmup_steps: 0 }, 1, 7)).toEqual([1, 1]);
});

it('rises linearly, is whole in the last step of the warm-up, and stays', () => {
  expect(over({ warmup_steps: 4 }, 1, 2, 3, 4, 5, 1e9)).toEqual([0.25, 0.5, 0.75, 1, 1, 1]);
  expect(over({ warmup_steps: 1 }, 1, 2)).toEqual([1, 1]);
});

it('falls from the end of the warm-up to its fraction, and stays there', () => {
  const linear = { warmup_steps: 2, lr_decay: 'linear', lr_decay_steps: 10, lr_final: 0.2 } as const;
  expect(over(linear, 1, 2)).toEqual([0.5, 1]);
  for (const [step, factor] of [
    [4, 0.8],
    [6, 0.6],
    [10, 0.2],
    [11, 0.2],
    [1e9, 0.2],
  ] as const)
    expect(rateFactor(linear, step)).toBeCloseTo(factor, 14);
  const cosine = { ...linear, lr_decay: 'cosine' } as const;
  expect(over(cosine, 1, 2)).toEqual([0.5, 1]);
  for (let step = 2; step <= 10; step++)
    expect(rateFactor(cosine, step)).toBeCloseTo(0.2 + 0.4 * (1 + Math.cos((Math.PI * (step - 2)) / 8)), 14);
  expect(over(cosine, 10, 11, 1e9)).toEqual([0.2, 0.2, 0.2]);
});

it('comes to exactly 0 where no fraction is left, in the last step alone', () => {
  for (const lr_decay of ['linear', 'cosine'] as const) {
    const options = { lr_decay, lr_decay_steps: 100 };
    expect(over(options, 100, 101)).toEqual([0, 0]);
    const all = Array.from({ length: 100 }, (_, i) => rateFactor(options, i + 1));
    expect(all.every((factor, i) => factor < (all[i - 1] ?? 1))).toBe(true);
    expect(rateFactor({ ...options, lr_final: 1 }, 50)).toBe(1);
  }
});
