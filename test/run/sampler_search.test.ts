import { expect, it } from 'vitest';
import { samplerFlags, searchSampler } from '../../src/run/sampler_search.ts';
import { SAMPLING_DEFAULTS, type SamplingOptions } from '../../src/ucgm/schedule.ts';

/** A distance that is least, 1, at guidance 1.7, kappa 0.4, warp (1.2, 0.7, 1) and rho 0.1. */
const bowl = async ({ cfg_scale, extrapol_ratio, time_dist_ctrl: [a, b, c], stochast_ratio }: SamplingOptions) => {
  const off = [Math.log(cfg_scale / 1.7), extrapol_ratio - 0.4, Math.log(a / 1.2), Math.log(b / 0.7), Math.log(c)];
  return 1 + [...off, (stochast_ratio as number) - 0.1].reduce((sum, v) => sum + v * v, 0);
};
const start = { ...SAMPLING_DEFAULTS, sampling_steps: 8 };

it('comes close to the least distance in a valley without corners, and gives every trial', async () => {
  const { best, trials } = await searchSampler({ start, classes: 10, trials: 80, measure: bowl });
  expect(await bowl(start)).toBeGreaterThan(1.5);
  expect(best.distance).toBeLessThan(1.03);
  expect(best.distance).toBe(Math.min(...trials.map(({ distance }) => distance)));
  expect(trials[0]).toEqual({ sample: start, distance: await bowl(start) });
  expect(new Set(trials.map(({ sample }) => JSON.stringify(sample))).size).toBe(trials.length);
  expect(trials.length).toBeLessThanOrEqual(80);
});

it('ends with its trials, and where nothing is better gives the start', async () => {
  const few = await searchSampler({ start, classes: 10, trials: 3, measure: bowl });
  expect(few.trials).toHaveLength(3);
  const flat = await searchSampler({ start, classes: 10, trials: 100, measure: async () => 1 });
  expect(flat.best.sample).toBe(start);
  expect(flat.trials.length).toBeLessThan(50); // three lengths of moves, two ways, six numbers
});

it('moves only what acts: no kappa in two steps, no guidance without classes, no noise in one step, no Auto', async () => {
  const moved = async (sample: Partial<SamplingOptions>, classes: number) => {
    const from = { ...start, ...sample };
    const { trials } = await searchSampler({ start: from, classes, trials: 200, measure: async () => 1 });
    const keys = Object.keys(from) as (keyof SamplingOptions)[];
    return keys.filter((key) => trials.some((trial) => `${trial.sample[key]}` !== `${from[key]}`)).sort();
  };
  expect(await moved({ sampling_steps: 1 }, 10)).toEqual(['cfg_scale']);
  expect(await moved({ sampling_steps: 2 }, 0)).toEqual(['stochast_ratio', 'time_dist_ctrl']);
  expect(await moved({ stochast_ratio: 'Auto' }, 1)).toEqual(['extrapol_ratio', 'time_dist_ctrl']);
});

it('takes up what was found elsewhere where that is better, and its numbers stand whole on a command line', async () => {
  const good = { ...start, cfg_scale: 1.7, extrapol_ratio: 0.4 };
  const { best, trials } = await searchSampler({ start, also: [good], classes: 10, trials: 2, measure: bowl });
  expect(best.sample).toBe(good);
  expect(trials).toHaveLength(2);
  const search = await searchSampler({ start: good, classes: 10, trials: 60, measure: bowl });
  for (const { sample } of search.trials) {
    const flags = samplerFlags(sample);
    const value = (flag: string) => flags[flags.indexOf(flag) + 1];
    expect([value('--cfg'), value('--kappa'), value('--warp')].map((text) => text?.split(',').map(Number))).toEqual([
      [sample.cfg_scale],
      [sample.extrapol_ratio],
      sample.time_dist_ctrl,
    ]);
  }
});
