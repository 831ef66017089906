import { readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, expect, it } from 'vitest';
import { SMALL, temporaryFolder, ucgm, writeDigits } from './run.ts';

const path = temporaryFolder();
const search = (...more: string[]) =>
  ucgm(['search-sampler', '--from', path('run'), '--images', '20', '--json', path('found.json'), ...more]);

beforeAll(async () => {
  await writeDigits(path('digits'), 60);
  writeFileSync(path('small.yaml'), SMALL.replace('name: digits', `name: ${path('digits')}`));
  const args = ['train', '--config', path('small.yaml'), '--steps', '5', '--out', path('run')];
  expect(await ucgm(args)).toMatchObject({ code: 0, stderr: '' });
});

it('searches on some noise, scores on other noise, and prints commands that sample by what it found', async () => {
  const out = await search('--steps', '1,3', '--trials', '4', '--seeds', '7,8', '--held-out', '2');
  expect(out).toMatchObject({ code: 0, stderr: '' });
  const found = JSON.parse(readFileSync(path('found.json'), 'utf8'));
  expect(found).toMatchObject({ images: 20, seeds: [7, 8], held_out: [1000, 1001], held_out_images: 20 });
  expect(found.found.map((each: { steps: number }) => each.steps)).toEqual([1, 3]);
  for (const { trials, plain, found: best, sample, command } of found.found) {
    expect(trials.length).toBeGreaterThan(1);
    expect(trials.length).toBeLessThanOrEqual(4);
    expect([plain.seeds, best.seeds]).toEqual([
      [1000, 1001],
      [1000, 1001],
    ]);
    const least = trials.reduce((a: { distance: number }, b: { distance: number }) =>
      b.distance < a.distance ? b : a,
    );
    expect(sample).toEqual(least.sample);
    expect(out.stdout).toContain(command);
  }
  expect(out.stdout).toMatch(
    / steps +guidance +kappa +rho +Kumaraswamy +FD before +FD found +as good as before\n +1 .*\n +3 /,
  );
  const words = found.found[1].command.split(' ').slice(1, -1);
  expect(await ucgm([...words, path('grid.png')])).toMatchObject({ code: 0, stderr: '' });
});

it('a seed of both kinds is refused before any work', async () => {
  const { code, stderr } = await search('--seeds', '3,1000');
  expect([code, stderr]).toEqual([2, expect.stringMatching(/seed 1000 is searched on and held out/)]);
});
