import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { FolderStore } from '../../src/run/folder_store.node.ts';
import { SMALL, temporaryFolder, ucgm, writeDigits } from './run.ts';

describe('a batch size of auto', () => {
  const path = temporaryFolder();
  const train = (config: string, out: string, ...more: string[]) =>
    ucgm(['train', '--config', path(config), '--out', path(out), ...more]);
  const batchOf = (out: string) => FolderStore.open(path(out)).settings().data?.batch_size as number;
  const last = (out: string, step: number) => readFileSync(path(out, 'checkpoints', `${step}.safetensors`));
  const limited = (bytes: number) => SMALL.replace('train: {', `train: { memory_limit: ${bytes},`);

  beforeAll(async () => {
    writeFileSync(path('limited.yaml'), limited(8e6));
    const asked = limited(8e6).replace('batch_size: 8', 'batch_size: auto');
    writeFileSync(path('asked.yaml'), asked);
    const said = /^batch (\d+): takes ([\d.]+) MB of 8\.0 MB; more does not fit the memory$/m;
    const run = await train('asked.yaml', 'asked', '--steps', '4');
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const [, batch, bytes] = said.exec(run.stdout) as RegExpExecArray;
    expect(Number(batch)).toBe(batchOf('asked'));
    expect(Number(bytes)).toBeLessThanOrEqual(8);
  });

  it('is kept as the number found: a resumed run goes on with it, to the bits of a run by that number', async () => {
    const batch = batchOf('asked');
    expect([batch % 8, batch > 8]).toEqual([0, true]);
    const resumed = await ucgm(['train', '--resume', '--out', path('asked'), '--steps', '6']);
    expect(resumed).toMatchObject({ code: 0, stdout: expect.not.stringContaining('takes') });
    expect(batchOf('asked')).toBe(batch);
    expect((await train('limited.yaml', 'given', '--batch', String(batch), '--steps', '6')).code).toBe(0);
    expect(last('asked', 6).equals(last('given', 6))).toBe(true);
  });

  it('is asked for on the command line too, of train and of tune, and bounded by the data', async () => {
    await writeDigits(path('few'), 20);
    const few = ['--batch', 'auto', '--data', path('few'), '--steps', '1'];
    const all = /^batch 16: takes [\d.]+ MB of [\d.]+ MB; there are 20 items of data$/m;
    expect(await train('limited.yaml', 'few run', ...few)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(all),
    });
    const tune = ['tune', '--from', path('asked'), '--out', path('tuned'), ...few];
    expect(await ucgm(tune)).toMatchObject({ code: 0, stdout: expect.stringMatching(all) });
    expect([batchOf('few run'), batchOf('tuned')]).toEqual([16, 16]);
  });

  it('leaves room for what a tuning looks at before its first step', async () => {
    writeFileSync(path('tight.yaml'), 'data: { batch_size: auto }\ntrain: { memory_limit: 16e+6, sample_every: 1 }');
    const tune = [
      'tune',
      '--from',
      path('asked'),
      '--out',
      path('tight'),
      '--config',
      path('tight.yaml'),
      '--steps',
      '2',
    ];
    const { code, stdout, stderr } = await ucgm(tune);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^batch \d+: takes 15\.\d MB of 16\.0 MB; more does not fit the memory$/m);
    expect(stderr).not.toContain('no samples');
    expect(existsSync(path('tight', 'samples', '2.png'))).toBe(true);
  });

  it('gives way to a number on the command line', async () => {
    const run = await train('asked.yaml', 'number', '--batch', '4', '--steps', '1');
    expect(run).toMatchObject({ code: 0, stdout: expect.not.stringContaining('takes') });
    expect(batchOf('number')).toBe(4);
  });

  it('fails as a batch of one does where that does not fit, and writes nothing', async () => {
    writeFileSync(path('none.yaml'), limited(300_000));
    const [auto, one] = [
      await train('none.yaml', 'none', '--batch', 'auto'),
      await train('none.yaml', 'none', '--batch', '1'),
    ];
    expect(auto).toMatchObject({ code: 2, stderr: expect.stringContaining('the memory limit is 300000. Fix: ') });
    expect(auto.stderr).toBe(one.stderr);
    expect(existsSync(path('none'))).toBe(false);
  });

  it('is refused beside --resume, and so is another word', async () => {
    const resume = await ucgm(['train', '--resume', '--out', path('asked'), '--batch', 'auto']);
    expect(resume).toMatchObject({ code: 2, stderr: expect.stringContaining('--batch does not go with --resume') });
    const word = await train('limited.yaml', 'word', '--batch', 'largest');
    expect(word.code).not.toBe(0);
    expect(word.stderr).toContain('Fix: give a whole number, or auto');
    expect(existsSync(path('word'))).toBe(false);
  });
});
