import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { FolderStore } from '../../src/run/folder_store.node.ts';
import { readMetrics } from '../../src/run/metrics_log.node.ts';
import { type Ended, SMALL, startUcgm, temporaryFolder, ucgm, until } from './run.ts';

/** Waits until a running `ucgm` has logged a step. */
function reached(run: string, step: number, ended: Promise<Ended>): Promise<void> {
  const path = `${run}/metrics.jsonl`;
  return until(() => existsSync(path) && (readMetrics(path).at(-1)?.step ?? 0) >= step, ended);
}

describe('ucgm train --resume', () => {
  const path = temporaryFolder();
  const train = (out: string, ...more: string[]) => [
    'train',
    '--config',
    path('small.yaml'),
    '--out',
    path(out),
    ...more,
  ];
  const resume = (out: string, ...more: string[]) => ucgm(['train', '--resume', '--out', path(out), ...more]);
  const checkpoint = (out: string, step: number) => readFileSync(path(out, 'checkpoints', `${step}.safetensors`));
  const losses = (out: string) => readMetrics(path(out, 'metrics.jsonl')).map(({ step, loss }) => [step, loss]);

  beforeAll(async () => {
    writeFileSync(path('small.yaml'), SMALL);
    expect(await ucgm(train('whole'))).toMatchObject({ code: 0, stderr: '' });
  });

  it('goes on to the same bits: 20 steps in one go are 10 and 10', async () => {
    expect((await ucgm(train('halves', '--steps', '10'))).code).toBe(0);
    expect((await resume('halves', '--steps', '20')).code).toBe(0);
    expect(checkpoint('halves', 20).equals(checkpoint('whole', 20))).toBe(true);
    expect(losses('halves')).toEqual(losses('whole'));
  });

  it('goes on to the same bits with Muon and a rate that rises and falls', async () => {
    const optimizer = 'optimizer: { type: Muon, warmup_steps: 4, lr_decay: cosine, lr_decay_steps: 20, lr_final: 0.1 }';
    writeFileSync(path('muon.yaml'), `${SMALL}${optimizer}\n`);
    const muon = (out: string, steps: string) => [
      'train',
      '--config',
      path('muon.yaml'),
      '--out',
      path(out),
      '--steps',
      steps,
    ];
    expect(await ucgm(muon('muon', '20'))).toMatchObject({ code: 0, stderr: '' });
    expect((await ucgm(muon('muon halves', '10'))).code).toBe(0);
    expect((await resume('muon halves', '--steps', '20')).code).toBe(0);
    expect(checkpoint('muon halves', 20).equals(checkpoint('muon', 20))).toBe(true);
    expect(losses('muon')).not.toEqual(losses('whole'));
    writeFileSync(path('wrong.yaml'), `${SMALL}optimizer: { matrix_lr: 0.1 }\n`);
    expect(await ucgm(['train', '--config', path('wrong.yaml'), '--out', path('wrong')])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('matrix_lr is 0.1 with AdamW'),
    });
  });

  it('goes on from the last checkpoint after kill -9, to the bits of a run that was never killed', async () => {
    const { child, ended } = startUcgm(train('killed', '--steps', '1000000'));
    await reached(path('killed'), 7, ended);
    child.kill('SIGKILL');
    expect((await ended).signal).toBe('SIGKILL');
    const saved = FolderStore.open(path('killed')).checkpoints().at(-1) as number;
    const end = saved + 7;
    const { code, stdout } = await resume('killed', '--steps', String(end));
    expect(code).toBe(0);
    expect(stdout).toContain(`resumed at step ${saved}`);
    expect((await ucgm(train('never', '--steps', String(end)))).code).toBe(0);
    expect(checkpoint('killed', end).equals(checkpoint('never', end))).toBe(true);
    expect(losses('killed')).toEqual(losses('never'));
  });

  it('saves on Ctrl-C, exits 130, and goes on', async () => {
    const { child, ended } = startUcgm(train('stopped', '--steps', '1000000'));
    await reached(path('stopped'), 3, ended);
    child.kill('SIGINT');
    const { code, stdout } = await ended;
    expect(code).toBe(130);
    const step = Number(/stopped at step (\d+)/.exec(stdout)?.[1]);
    expect(existsSync(path('stopped', 'checkpoints', `${step}.safetensors`))).toBe(true);
    expect(existsSync(path('stopped', 'report.html'))).toBe(true);
    const end = Math.max(step, 20);
    expect(await resume('stopped', '--steps', String(end))).toMatchObject({ code: 0 });
    expect(losses('stopped').slice(0, 20)).toEqual(losses('whole'));
  });

  it('refuses to overwrite a run, and other settings on resuming', async () => {
    expect(await ucgm(train('whole'))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('holds a run already'),
    });
    expect(await resume('whole', '--seed', '5')).toMatchObject({ code: 2, stderr: expect.stringContaining('--seed') });
    expect(await resume('nothing')).toMatchObject({ code: 2, stderr: expect.stringContaining('no config.yaml') });
  });

  it('samples the run, the same bytes for the same seed', async () => {
    for (const name of ['a.png', 'b.png']) {
      const args = ['sample', '--from', path('whole'), '--steps', '3', '--count', '6', '--grid', path(name)];
      expect(await ucgm(args)).toMatchObject({ code: 0, stdout: expect.stringContaining('3 network passes') });
    }
    expect(readFileSync(path('a.png')).equals(readFileSync(path('b.png')))).toBe(true);
  });
});
