import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { readMetrics } from '../../src/run/metrics_log.node.ts';
import { SMALL, temporaryFolder, ucgm } from './run.ts';

describe('ucgm tune', () => {
  const path = temporaryFolder();
  const tune = (out: string, ...more: string[]) => ['tune', '--from', path('multi'), '--out', path(out), ...more];

  beforeAll(async () => {
    writeFileSync(path('small.yaml'), SMALL);
    const args = ['train', '--config', path('small.yaml'), '--steps', '5', '--out', path('multi')];
    expect(await ucgm(args)).toMatchObject({ code: 0, stderr: '' });
  });

  it("starts from the run's average, trains few-step, resumes to the same bits, and samples in two steps", async () => {
    const warning = /^warning: the start misses \d+% of the velocity .* Train it longer first$/; // it had five steps
    const { code, stderr } = await ucgm(tune('whole', '--steps', '6'));
    expect(stderr.trim()).toMatch(warning);
    expect(code).toBe(0);
    expect((await ucgm(tune('parts', '--steps', '3'))).code).toBe(0);
    expect((await ucgm(['train', '--resume', '--out', path('parts'), '--steps', '6'])).code).toBe(0);
    const last = (run: string) => readFileSync(path(run, 'checkpoints', '6.safetensors'));
    expect(last('parts').equals(last('whole'))).toBe(true);
    expect(readMetrics(path('whole', 'metrics.jsonl')).every(({ loss }) => Number.isFinite(loss))).toBe(true);
    const sample = ['sample', '--from', path('whole'), '--count', '4', '--grid', path('few.png')];
    expect(await ucgm(sample)).toMatchObject({ code: 0, stdout: expect.stringContaining('2 network passes') });
  });

  it('makes an any-step model of it too, which resumes to the same bits', async () => {
    const anystep = (out: string, steps: string) => tune(out, '--preset', 'anystep', '--steps', steps);
    expect((await ucgm(anystep('any', '4'))).code).toBe(0);
    expect((await ucgm(anystep('anyparts', '2'))).code).toBe(0);
    expect((await ucgm(['train', '--resume', '--out', path('anyparts'), '--steps', '4'])).code).toBe(0);
    const last = (run: string) => readFileSync(path(run, 'checkpoints', '4.safetensors'));
    expect(last('anyparts').equals(last('any'))).toBe(true);
    const sample = ['sample', '--from', path('any'), '--steps', '1', '--count', '4', '--grid', path('any.png')];
    expect(await ucgm(sample)).toMatchObject({ code: 0, stdout: expect.stringContaining('1 network passes') });
  });

  it('gives the model guidance as an input, which resumes to the same bits and is exported', async () => {
    const settings =
      'model: { guidance_input: true }\ntransport: { enhanced_ratio: 0, guidance_scales: [1, 4], step_ratio_steps: 4 }\noptimizer: { warmup_steps: 1, lr_decay_steps: 4 }\n';
    writeFileSync(path('guided.yaml'), settings);
    const options = ['--preset', 'anystep-tune', '--config', path('guided.yaml'), '--steps'];
    expect(await ucgm(tune('guided', ...options, '4'))).toMatchObject({ code: 0 });
    expect((await ucgm(tune('guidedparts', ...options, '2'))).code).toBe(0);
    expect((await ucgm(['train', '--resume', '--out', path('guidedparts'), '--steps', '4'])).code).toBe(0);
    const last = (run: string) => readFileSync(path(run, 'checkpoints', '4.safetensors'));
    expect(last('guidedparts').equals(last('guided'))).toBe(true);
    const file = path('guided.safetensors');
    expect((await ucgm(['export', '--from', path('guided'), '--out', file])).code).toBe(0);
    for (const from of [file, path('guided')]) {
      const sample = ['sample', '--from', from, '--cfg', '3', '--steps', '2', '--count', '4', '--grid', path('w.png')];
      expect(await ucgm(sample)).toMatchObject({ code: 0, stdout: expect.stringContaining('2 network passes') });
    }
  });

  it('warns when the start is a few-step model itself', async () => {
    const args = ['tune', '--from', path('whole'), '--out', path('again'), '--steps', '1'];
    expect(await ucgm(args)).toMatchObject({ code: 0, stderr: expect.stringContaining('is a few-step model already') });
  });

  it("refuses another transport than the start's, and writes nothing", async () => {
    writeFileSync(path('trig.yaml'), 'transport: { transport_type: TrigFlow }');
    const message = /transport_type is TrigFlow, that of .* is Linear. Fix: /;
    expect(await ucgm(tune('trig', '--config', path('trig.yaml')))).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(message),
    });
    expect(existsSync(path('trig'))).toBe(false);
  });

  it('refuses a folder without a run, and writes nothing', async () => {
    const args = ['tune', '--from', path('nowhere'), '--out', path('none')];
    expect(await ucgm(args)).toMatchObject({ code: 2, stderr: expect.stringContaining('holds no run') });
    expect(existsSync(path('none'))).toBe(false);
  });
});
