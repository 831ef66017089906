import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { reportHtml } from '../../src/report/page.ts';
import { type Expected, follows, parseExpected } from '../../src/run/expected.ts';
import { resolveModel } from '../../src/run/model.ts';
import { PRESET_NAMES, presetNamed } from '../../src/run/presets.ts';
import { mergeConfig, type PartialConfig, stringifyConfig } from '../../src/run/settings.ts';
import { EVALUATION, falling } from './full.ts';

const expected: Expected = {
  preset: 'tiny',
  command: 'ucgm train',
  adapter: 'a <card>',
  date: '2026-01-02',
  model: 'tiny',
  batch: 32,
  data: 'digits',
  loss: [
    [10, 1.2],
    [300, 0.6],
    [600, 0.5],
    [1200, 0.4],
  ],
  scored: { how: '2000 samples', frechet: [[4, 125]] },
};
const sizes = { height: 28, width: 28, channels: 1, numClasses: 10 };
const preset = mergeConfig('the test', presetNamed('tiny'));
const run = (more: PartialConfig = {}) => {
  const config = mergeConfig('the test', preset, { data: { fingerprint: 'digits' } } as PartialConfig, more);
  return { ...config, model: resolveModel(config.model, sizes) };
};

it("a run's report shows the curves of the preset that it follows beside its own, up to its last step", () => {
  const config = run();
  const page = (given?: Expected) =>
    reportHtml({
      config,
      configText: stringifyConfig(config),
      metrics: falling(600, 0.35),
      samples: [],
      evaluation: EVALUATION as Parameters<typeof reportHtml>[0]['evaluation'],
      ...(given && { expected: given }),
    });
  expect(page()).not.toContain('preset tiny');
  const html = page(expected);
  expect(html).toContain('broken: what preset tiny gave on a &lt;card&gt;, 2026-01-02');
  expect(html).toContain('broken: 2000 samples');
  const dashes = (text: string) => text.split('stroke-dasharray').length;
  expect(dashes(html)).toBeGreaterThan(dashes(page()));
});

it('a run follows a preset by what is learned, not by seed, length or what is kept of it', () => {
  const alike: PartialConfig[] = [
    {},
    { train: { steps: 7, seed: 3, log_every: 1 } as PartialConfig['train'] },
    { sample: { cfg_scale: 1 } as PartialConfig['sample'] },
  ] as PartialConfig[];
  for (const more of alike) expect(follows(run(more), preset, expected)).toBe(true);
  const others = [
    { optimizer: { lr: 1e-3 } },
    { optimizer: { lr_decay: 'cosine' } },
    { transport: { enhanced_ratio: 0.1 } },
    { data: { batch_size: 64 } },
    { data: { fingerprint: 'others' } },
    { model: { depth: 2 } },
  ] as PartialConfig[];
  for (const more of others) expect(follows(run(more), preset, expected)).toBe(false);
});

it('every recipe is of a preset, and has curves that a chart can show', () => {
  const files = readdirSync('recipes');
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) {
    const recipe = parseExpected(readFileSync(`recipes/${file}`, 'utf8'));
    expect(PRESET_NAMES).toContain(recipe.preset);
    expect(file).toBe(`${recipe.preset}.json`);
    expect(recipe.loss.length).toBeGreaterThan(10);
    const [first, last] = [recipe.loss[0]?.[1] as number, recipe.loss.at(-1)?.[1] as number];
    for (const [, loss] of recipe.loss) expect(loss).toBeGreaterThan(0);
    const [from, to] = presetNamed(recipe.preset).transport?.step_ratio ?? [1, 1];
    if (from === to) expect(last).toBeLessThan(first);
    else {
      // The divided residual is over a, which falls: its losses are of several scales, so that the scores must speak.
      const distances = recipe.scored?.frechet.map(([, distance]) => distance) ?? [];
      expect(distances.length).toBeGreaterThan(1);
      expect(distances).toEqual(distances.toSorted((a, b) => b - a));
    }
  }
});
