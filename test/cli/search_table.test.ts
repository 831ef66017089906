import { expect, it } from 'vitest';
import { type SearchRow, searchTable } from '../../src/cli/search_table.ts';
import { SAMPLING_DEFAULTS } from '../../src/ucgm/schedule.ts';

const row = (steps: number, before: number, found: number, more: Partial<SearchRow['sample']> = {}): SearchRow => ({
  steps,
  sample: { ...SAMPLING_DEFAULTS, sampling_steps: steps, ...more },
  plain: { frechet: before },
  found: { frechet: found, deviation: { frechet: 0.5, kid: 0, precision: 0, recall: 0 } as never },
});

it('says for each number of steps the setting, both distances, and how many steps before are no better', () => {
  const setting = { cfg_scale: 1.2, extrapol_ratio: 0.25, time_dist_ctrl: [1.25, 0.8, 1] as const };
  const text = searchTable([row(4, 25, 15, setting), row(8, 16, 9), row(20, 10, 9.5), row(40, 8, 8.5), row(60, 8, 8)]);
  const lines = text.split('\n').map((line) => line.trim().split(/\s{2,}/));
  expect(lines[0]).toEqual([
    'steps',
    'guidance',
    'kappa',
    'rho',
    'Kumaraswamy',
    'FD before',
    'FD found',
    'as good as before',
  ]);
  expect(lines.slice(1).map((cells) => cells.at(-1))).toEqual([
    '8 steps',
    '20 steps',
    'no more steps',
    'no gain: keep before',
    'nothing better found',
  ]);
  expect(text.split('\n')[1]?.trim().split(/ +/).slice(0, 9)).toEqual([
    '4',
    '1.2',
    '0.25',
    '0',
    '1.25,0.8,1',
    '25.00',
    '15.00',
    '+-',
    '0.50',
  ]);
  expect(new Set(text.split('\n').map((line) => line.length)).size).toBe(1);
});
