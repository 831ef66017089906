import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { SMALL, temporaryFolder, ucgm } from './run.ts';

const NO_ADAPTER = { VK_ICD_FILENAMES: '/nonexistent', VK_DRIVER_FILES: '/nonexistent' };

describe('ucgm report', () => {
  const path = temporaryFolder();
  const html = () => readFileSync(path('run', 'report.html'), 'utf8');
  const strip = () => path('run', 'samples', 'strip-6.png');
  const report = (args: string[] = [], env: { [name: string]: string } = {}) =>
    ucgm(['report', '--from', path('run'), ...args], env);
  let trained = '';
  let drawn: Buffer;

  beforeAll(async () => {
    writeFileSync(path('small.yaml'), SMALL.replace('steps: 20', 'steps: 6, sample_every: 2'));
    const args = ['train', '--config', path('small.yaml'), '--out', path('run')];
    expect(await ucgm(args)).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('report.html') });
    trained = html();
    drawn = readFileSync(strip());
  });

  it('is written at the end of a training: curves, samples, the strip, the adapter', () => {
    for (const text of ['<h1>tiny on digits</h1>', '6 of 6', '<dt>Adapter</dt>', 'Fewer steps, same noise'])
      expect(trained).toContain(text);
    for (const step of [2, 4, 6]) expect(trained).toContain(`Grid of samples at step ${step}`);
    expect(trained).toContain(drawn.toString('base64'));
  });

  it('says when and by what command it was made, and shows another run beside it', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(trained).toContain(`<dt>Version</dt><dd>${version}</dd>`);
    expect(trained).toContain(`<code>ucgm train --config ${path('small.yaml')} --out ${path('run')}</code>`);
    expect(trained).toMatch(/<dt>Parameters<\/dt><dd>[\d,]+<\/dd>/);
    expect(await report(['--no-strip', '--compare', path('run')], NO_ADAPTER)).toMatchObject({ code: 0, stderr: '' });
    expect(html()).toContain('<h2>Compared</h2>');
    expect(await report(['--no-strip', '--compare', path('none')])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('holds no run'),
    });
  });

  it('samples the strip again where it is missing, to the same bytes, and then needs no device', async () => {
    rmSync(strip());
    rmSync(path('run', 'report.html'));
    expect(await report([])).toMatchObject({ code: 0, stderr: '', stdout: `${path('run', 'report.html')}\n` });
    expect(readFileSync(strip()).equals(drawn)).toBe(true);
    expect(await report([], NO_ADAPTER)).toMatchObject({ code: 0, stderr: '' });
    expect(html()).toContain('Fewer steps, same noise');
  });

  it('leaves the strip out when told so, without a device', async () => {
    expect(await report(['--no-strip'], NO_ADAPTER)).toMatchObject({ code: 0, stderr: '' });
    expect(html()).not.toContain('Fewer steps, same noise');
  });

  it('shows an eval.json, or what is wrong with it', async () => {
    const about = {
      features: 'pixels',
      model: 'tiny',
      reference: 'held-out',
      adapter: 'one',
      date: 'today',
      images: 9,
      rows: [],
    };
    writeFileSync(path('run', 'eval.json'), JSON.stringify(about));
    expect((await report(['--no-strip'])).code).toBe(0);
    expect(html()).toContain('9 images against held-out');
    writeFileSync(path('run', 'eval.json'), '{');
    expect((await report(['--no-strip'])).code).toBe(0);
    expect(html()).toContain('eval.json is no JSON');
    rmSync(path('run', 'eval.json'));
  });

  it('never costs a training its success: one warning line', async () => {
    rmSync(path('run', 'report.html'));
    mkdirSync(path('run', 'report.html', 'in the way'), { recursive: true });
    const { code, stderr } = await ucgm(['train', '--resume', '--out', path('run'), '--steps', '7']);
    expect(stderr).toMatch(/^report\.html was not written: [^\n]*\n$/);
    expect(code).toBe(0);
    expect(existsSync(path('run', 'checkpoints', '7.safetensors'))).toBe(true);
    expect(await report(['--no-strip'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/^ucgm: .*Fix: /) });
  });

  it('refuses a folder without a run', async () => {
    expect(await ucgm(['report', '--from', path('none')])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('holds no run'),
    });
  });
});
