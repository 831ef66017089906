import { describe, expect, it } from 'vitest';
import { type Line, parseResults } from '../../bench/results.ts';
import { sampleCommand, trainCommand } from '../../examples/studio/command.ts';
import { resultsText, sharedResults, shareLink } from '../../examples/studio/kernels/share.ts';
import { latest } from '../../examples/studio/page/latest.ts';
import { Store } from '../../examples/studio/page/store.ts';
import { linkOf, readLink } from '../../examples/studio/page/url.ts';
import { DEFAULTS, samplingSettings, withSettings } from '../../examples/studio/settings.ts';
import { TOYS, toyDataset } from '../../examples/studio/toy/data.ts';
import { BUCKETS, LossesByTime } from '../../examples/studio/train/loss_by_time.ts';
import { changesOf, RECIPES, recipeOf, stepsOf } from '../../examples/studio/train/recipes.ts';
import { presetNamed } from '../../src/run/presets.ts';
import { mergeConfig } from '../../src/run/settings.ts';

const tiny = mergeConfig('tiny', presetNamed('tiny'));

describe('settings', () => {
  it('go into a link and come back, the defaults left out', () => {
    const settings = { ...DEFAULTS, steps: 7, data: 'shapes', rho: 0.25 };
    const link = linkOf(settings, DEFAULTS);
    expect(link).toBe('?steps=7&rho=0.25&data=shapes');
    expect({ ...DEFAULTS, ...readLink(DEFAULTS, link) }).toEqual(settings);
    expect(readLink(DEFAULTS, '?steps=many&rho=&nothing=1')).toEqual({});
  });

  it("are a model's own until they are changed, and the sampler gets them", () => {
    const own = { ...DEFAULTS, ...samplingSettings(tiny) };
    expect(withSettings(tiny, own).sample).toEqual(tiny.sample);
    const { sample } = withSettings(tiny, { ...own, kappa: 0.3, order: 2, warpB: 0.5 });
    expect(sample).toMatchObject({ extrapol_ratio: 0.3, sampling_order: 2, time_dist_ctrl: [1, 0.5, 1] });
  });

  it('are words of the command line', () => {
    expect(sampleCommand(DEFAULTS, 'runs/my digits')).toBe(
      "npx ucgm sample --from 'runs/my digits' --steps 2 --order 1 --kappa 0 --rho 1 --gaps 0.001,0.3 --warp 1,1,1 --cfg 1 --seed 0 --grid samples.png",
    );
    expect(trainCommand({ ...DEFAULTS, batch: 64 }, 'runs/mine')).toBe(
      'npx ucgm train --preset tiny --data digits --batch 64 --seed 0 --out runs/mine',
    );
  });
});

describe('recipes', () => {
  it.each(Object.keys(RECIPES))('%s is a whole configuration', (preset) => {
    const data = preset === 'plane' ? 'moons' : 'digits';
    const settings = { ...DEFAULTS, preset, data, batch: 8, rate: 1e-3, model: '' };
    const config = mergeConfig('a recipe', presetNamed(recipeOf(settings).preset), changesOf(settings));
    expect(config.data.batch_size).toBe(8);
    expect(config.optimizer.lr).toBe(1e-3);
    expect(stepsOf(settings)).toBe(config.train.steps);
  });
});

describe('losses by time', () => {
  it('are means of the samples of each tenth, a curve of a thousand samples after the other', () => {
    const losses = new LossesByTime();
    expect(losses.curves).toEqual([]);
    const samples = (step: number, of: [time: number, loss: number][]) =>
      losses.add({
        step,
        times: Float32Array.from(of, ([t]) => t),
        losses: Float32Array.from(of, ([, loss]) => loss),
      });
    samples(3, [
      [0, 1],
      [0.05, 3],
      [1, 8],
    ]);
    const [first] = losses.curves;
    expect(first).toMatchObject({ first: 3, last: 3 });
    expect(first?.points).toHaveLength(BUCKETS);
    expect(first?.points[0]).toEqual([0.05, 2]);
    expect(first?.points[5]).toEqual([0.55, null]);
    expect(first?.points[9]).toEqual([0.95, 8]);
    const many = Array.from({ length: 997 }, (): [number, number] => [0.55, 4]);
    samples(4, many);
    samples(5, [[0.2, 1]]);
    const [whole, fresh] = losses.curves;
    expect(whole).toMatchObject({ first: 3, last: 4 });
    expect(whole?.points[5]).toEqual([0.55, 4]);
    expect(fresh).toMatchObject({ first: 5, last: 5 });
    expect(fresh?.points.filter(([, loss]) => loss !== null)).toEqual([[0.25, 1]]);
  });
});

describe('points', () => {
  it.each(TOYS)('of %s lie in the square, half of each class, the same at every reading', (name) => {
    const data = toyDataset(name, 1000);
    const read = () => {
      const out = new Float32Array(2000);
      for (let i = 0; i < 1000; i++) data.image(i, out, 2 * i);
      return out;
    };
    const points = read();
    expect(read()).toEqual(points);
    expect(points.every((value) => Math.abs(value) <= 1.0001)).toBe(true);
    expect(data.labels.filter((label) => label === 0)).toHaveLength(500);
    const variance = points.reduce((sum, value) => sum + value ** 2, 0) / points.length;
    expect(variance).toBeGreaterThan(0.1);
  });
});

describe('results', () => {
  const line = { suite: 'smoke', case: 'add 7', ms: 0.123456, p10: 0.12, p90: 0.13, kernel: 'add', variant: 'default' };
  const results = parseResults(`${JSON.stringify(line)}\n`, 'here');

  it('go through a link, to four digits, and through a file as they are', async () => {
    const link = await shareLink('https://example.org/kernels.html', results);
    const back = (await sharedResults(link))?.cases.get('add 7') as Line;
    expect(back).toMatchObject({ ...line, ms: 0.1235 });
    expect(parseResults(resultsText(results), 'there')).toEqual(results);
    expect(await sharedResults('https://example.org/kernels.html')).toBeUndefined();
  });
});

describe('the page', () => {
  it('works on the newest of many requests, and says that it has come', async () => {
    const done: number[] = [];
    let superseded = 0;
    let finish = () => {};
    const ask = latest<number>(
      async (request, stale) => {
        await new Promise<void>((resolve) => (finish = resolve));
        done.push(stale() ? -request : request);
      },
      () => superseded++,
      (error) => expect.fail(String(error)),
    );
    for (const request of [1, 2, 3]) ask(request);
    finish();
    await new Promise((resolve) => setTimeout(resolve));
    finish();
    await new Promise((resolve) => setTimeout(resolve));
    expect(done).toEqual([-1, 3]);
    expect(superseded).toBe(2);
  });

  it('tells of a change of its settings, not of the same again', () => {
    const store = new Store({ a: 1, b: 2 });
    const seen: object[] = [];
    store.onChange((value) => seen.push(value));
    store.set({ a: 1 });
    store.set({ b: 3 });
    expect(seen).toEqual([{ a: 1, b: 3 }]);
  });
});
