import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseEvaluation } from '../../src/run/evaluation.ts';
import { type Ended, SMALL, startUcgm, temporaryFolder, ucgm, until } from './run.ts';

/** Sampling steps that would take a day. */
const ENDLESS = '1000000';

describe('a signal during a sampling', () => {
  const path = temporaryFolder();
  /** Waits for what comes right before a sampling, of whose steps nothing is told, and then for some of these. */
  const sampling = async (reached: () => boolean, ended: Promise<Ended>) => {
    await until(reached, ended);
    await sleep(300);
  };

  beforeAll(async () => {
    writeFileSync(path('small.yaml'), SMALL);
    const endless = SMALL.replace('log_every: 1', 'log_every: 1, sample_every: 1');
    writeFileSync(path('sampling.yaml'), `${endless}sample: { sampling_steps: ${ENDLESS} }\n`);
    const train = ['train', '--config', path('small.yaml'), '--steps', '2', '--out', path('run')];
    expect(await ucgm(train)).toMatchObject({ code: 0, stderr: '' });
  });

  it('of a training ends it, and the run is saved', async () => {
    const { child, ended } = startUcgm(['train', '--config', path('sampling.yaml'), '--out', path('sampling')]);
    const log = path('sampling', 'metrics.jsonl');
    await sampling(() => existsSync(log) && readFileSync(log).length > 0, ended);
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({
      code: 143,
      stdout: expect.stringMatching(/stopped at step 1; the state is saved/),
      stderr: '',
    });
    for (const file of ['checkpoints/1.safetensors', 'report.html'])
      expect(existsSync(path('sampling', file))).toBe(true);
    for (const file of ['samples/1.png', 'run.lock']) expect(existsSync(path('sampling', file))).toBe(false);
  });

  it('of an evaluation ends it, and the scores before it are kept', async () => {
    const steps = ['--steps', `1,${ENDLESS}`];
    const { child, ended } = startUcgm([
      'eval',
      '--from',
      path('run'),
      '--weights',
      'model',
      '--images',
      '40',
      ...steps,
    ]);
    let shown = '';
    child.stdout?.on('data', (data) => (shown += data));
    await sampling(() => /^ +1 .*Euler/m.test(shown), ended);
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130, stderr: 'ucgm: stopped by SIGINT\n' });
    const evaluation = parseEvaluation(readFileSync(path('run', 'eval.json'), 'utf8'));
    expect(evaluation).toMatchObject({ rows: [{ steps: 1 }] });
    expect(existsSync(path('run', 'run.lock'))).toBe(false);
  });

  it('of images ends it, and nothing is left', async () => {
    const out = ['--images', path('images'), '--npz', path('a.npz')];
    const args = ['sample', '--from', path('run'), '--weights', 'model', '--count', '2', '--steps', ENDLESS, ...out];
    const { child, ended } = startUcgm(args);
    await sampling(() => existsSync(path('images')), ended);
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 143, stderr: 'ucgm: stopped by SIGTERM\n' });
    for (const file of ['images', 'a.npz']) expect(existsSync(path(file))).toBe(false);
  });
});
