import { expect, it } from 'vitest';
import { mixedFewStep } from '../../src/cli/mixed_advice.ts';
import { presetNamed } from '../../src/run/presets.ts';
import { mergeConfig } from '../../src/run/settings.ts';

const advice = (preset: string, precision: 'f32' | 'mixed') =>
  mixedFewStep(mergeConfig('a test', presetNamed(preset), { train: { precision } }));

it('advises against mixed precision where lambda is 1, and nowhere else', () => {
  expect(advice('fewstep', 'mixed')).toMatch(/^consistc_ratio 1 in mixed precision: .* Fix: --precision f32$/);
  expect(advice('fewstep', 'f32')).toBeUndefined();
  for (const preset of ['mnist', 'anystep', 'anystep-tune']) expect(advice(preset, 'mixed'), preset).toBeUndefined();
});
