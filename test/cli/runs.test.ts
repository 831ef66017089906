import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, relative } from 'node:path';
import { decode } from 'fast-png';
import { unzipSync } from 'fflate';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodePicture } from '../../src/io/png.ts';
import { readSafetensors } from '../../src/io/safetensors.node.ts';
import { encodeSafetensors, toFloat32 } from '../../src/io/safetensors.ts';
import { SMALL, startUcgm, temporaryFolder, ucgm, until } from './run.ts';

describe('a run and what is done with it', () => {
  const path = temporaryFolder();
  const train = (out: string, ...more: string[]) => [
    'train',
    ...['--config', path('small.yaml'), '--data', relative('.', path('set', 'data')), '--out', path(out), ...more],
  ];
  const run = () => path('set', 'run');
  const refused = (message: RegExp) => ({ code: 2, stderr: expect.stringMatching(message) });

  beforeAll(async () => {
    writeFileSync(path('small.yaml'), SMALL.replace('name: digits, ', '').replace('patch_size: 7', 'patch_size: 4'));
    for (const name of ['a', 'b']) {
      mkdirSync(path('set', 'data', name), { recursive: true });
      for (let i = 0; i < 4; i++) {
        const data = Uint8Array.from({ length: 64 }, (_, k) => 3 * k + i);
        const png = encodePicture({ width: 8, height: 8, channels: 1, data });
        writeFileSync(path('set', 'data', name, `${i}.png`), png);
      }
    }
    mkdirSync(path('folder.png'));
    expect(await ucgm(train('set/run', '--steps', '6'))).toMatchObject({ code: 0, stderr: '' });
  });

  it('keeps a relative path of data relative to itself: both move together', async () => {
    expect(readFileSync(join(run(), 'config.yaml'), 'utf8')).toContain('name: ../data\n');
    renameSync(path('set'), path('moved'));
    const resumed = await ucgm(['train', '--resume', '--out', path('moved', 'run'), '--steps', '7']);
    renameSync(path('moved'), path('set'));
    expect(resumed).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(join(run(), 'config.yaml'), 'utf8')).toContain('name: ../data\n');
  });

  it.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('saves on %s, gives its lock back, and ends with %i', async (signal, code) => {
    const { child, ended } = startUcgm(train(signal, '--steps', '1000000'));
    const log = path(signal, 'metrics.jsonl');
    await until(() => existsSync(log) && readFileSync(log).length > 0, ended);
    expect(await ucgm(['train', '--resume', '--out', path(signal)])).toMatchObject(
      refused(/process \d+ on .* writes it/),
    );
    child.kill(signal);
    const { code: exit, stdout } = await ended;
    expect(exit).toBe(code);
    const step = /stopped at step (\d+); the state is saved/.exec(stdout)?.[1];
    expect(existsSync(path(signal, 'checkpoints', `${step}.safetensors`))).toBe(true);
    expect(existsSync(path(signal, 'run.lock'))).toBe(false);
  });

  it('stops where it diverges, keeps the sound checkpoints, and says how to go on', async () => {
    cpSync(run(), path('set', 'wild'), { recursive: true });
    writeFileSync(path('set', 'wild', 'run.lock'), JSON.stringify({ pid: 2 ** 30, host: hostname() }));
    const { code, stderr } = await ucgm([
      'train',
      '--resume',
      '--out',
      path('set', 'wild'),
      '--steps',
      '60',
      '--lr',
      '1e30',
    ]);
    expect(stderr).toMatch(/took over the lock/);
    expect(stderr).toMatch(
      /ucgm: the training diverged: step \d+ is not finite.*Fix: step 7 .*--resume --out .* --lr 1e\+29\n$/,
    );
    expect(code).toBe(2);
    expect(readdirSync(path('set', 'wild', 'checkpoints'))).toContain('7.safetensors');
    expect(readFileSync(path('set', 'wild', 'metrics.jsonl'), 'utf8')).not.toContain('null');
  });

  it('refuses weights that are not finite by name, before anything is written', async () => {
    cpSync(run(), path('set', 'nan'), { recursive: true });
    const file = path('set', 'nan', 'checkpoints', '7.safetensors');
    const { tensors, metadata } = readSafetensors(file);
    const broken = [...tensors].map(
      ([name, { shape, ...rest }]): [string, { shape: readonly number[]; data: Float32Array }] => {
        const data = toFloat32(rest);
        if (name === 'ema/x_embedder.proj.bias' || name === 'model/x_embedder.proj.bias') data[3] = Number.NaN;
        return [name, { shape, data }];
      },
    );
    writeFileSync(file, Buffer.concat(encodeSafetensors(broken, metadata)));
    const from = ['--from', path('set', 'nan')];
    const message = /x_embedder.proj.bias holds NaN \(element 3\)\. Fix: /;
    const all = await Promise.all([
      ucgm(['sample', ...from, '--count', '1', '--grid', path('n.png')]),
      ucgm(['export', ...from, '--out', path('n.safetensors')]),
      ucgm(['tune', ...from, '--out', path('n')]),
      ucgm(['train', '--resume', '--out', path('set', 'nan'), '--steps', '9']),
      ucgm(['convert', file, '--out', path('n2.safetensors')]),
    ]);
    for (const result of all) expect(result).toMatchObject(refused(message));
    for (const name of ['n.png', 'n.safetensors', 'n', 'n2.safetensors']) expect(existsSync(path(name))).toBe(false);
  });

  it('writes samples as files and as an array, the same images', async () => {
    const out = ['--images', path('new', 'images'), '--npz', path('new', 'a.npz')];
    const args = ['sample', '--from', run(), '--count', '3', '--steps', '2', ...out];
    expect(await ucgm(args)).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(path('new', 'images', 'labels.csv'), 'utf8')).toBe(
      'file,label\n000000.png,0\n000001.png,1\n000002.png,0\n',
    );
    const array = unzipSync(readFileSync(path('new', 'a.npz')))['arr_0.npy'] as Uint8Array;
    const pngs = [0, 1, 2].map((i) => decode(readFileSync(path('new', 'images', `00000${i}.png`))));
    expect([...array.subarray(128)]).toEqual(pngs.flatMap(({ data }) => [...data]));
    expect(await ucgm(args)).toMatchObject(refused(/holds 4 entries. Fix: /));
  });

  it('is tuned from an earlier checkpoint, or with another teacher', async () => {
    const tune = (out: string, ...more: string[]) =>
      ucgm(['tune', '--from', run(), '--out', path(out), '--steps', '1', '--batch', '2', ...more]);
    expect((await tune('early', '--start', '5')).code).toBe(0);
    expect((await tune('other', '--teacher', path('early'))).stderr).toMatch(/the teacher misses/);
    const teacher = (out: string) => readSafetensors(path(out, 'checkpoints', '1.safetensors')).tensors;
    const of = (file: string, name: string) => toFloat32(readSafetensors(file).tensors.get(name)!);
    const name = 'blocks.0.attn.qkv.weight';
    expect(toFloat32(teacher('early').get(`teacher/${name}`)!)).toEqual(
      of(join(run(), 'checkpoints', '7.safetensors'), `ema/${name}`),
    );
    expect(toFloat32(teacher('other').get(`teacher/${name}`)!)).toEqual(
      of(path('early', 'checkpoints', '1.safetensors'), `ema/${name}`),
    );
    expect(await tune('none', '--start', '4')).toMatchObject(
      refused(/no checkpoint of step 4. Fix: there are those of steps/),
    );
    expect(await tune('none', '--preset', 'anystep', '--teacher', run())).toMatchObject(refused(/no frozen teacher/));
    expect(existsSync(path('none'))).toBe(false);
  });

  it('warns where its average still holds much of the start', async () => {
    rmSync(path('young'), { recursive: true, force: true });
    writeFileSync(path('young.yaml'), readFileSync(path('small.yaml'), 'utf8').replace('0.5', '0.9999'));
    const args = train('young', '--steps', '5').with(2, path('young.yaml'));
    expect((await ucgm(args)).stdout).toMatch(/note: after 5 steps with ema_decay 0.9999 .* 100% their start/);
    const sample = (which: string) =>
      ucgm(['sample', '--from', path('young'), '--weights', which, '--count', '1', '--grid', path('y.png')]);
    expect((await sample('ema')).stderr).toMatch(/ema_decay 0.9999 .* --weights model/);
    expect((await sample('model')).stderr).toBe('');
  });

  const sample = (...more: string[]) => ['sample', '--grid', path('s.png'), ...more];
  it.each([
    ['no images', () => sample('--count', '0'), /--count.*'0' is invalid. Fix: give a whole number of at least 1/],
    ['more images than memory', () => sample('--count', '9999999'), /take \d+ bytes together/],
    ['a class that is none', () => sample('--label', '10'), /--label 10 is no class of the model. Fix: .*0 to 9/],
    ['no steps', () => sample('--steps', '0'), /sampling_steps is 0/],
    ['a number without end', () => sample('--cfg', '1e400'), /give a number that is finite/],
    ['an empty name', () => ['sample', '--grid', ''], /--grid is empty/],
    ['a picture of another kind', () => ['sample', '--grid', path('s.jpg')], /ends in .png/],
    ['a folder as a file', () => ['sample', '--grid', path('folder.png')], /is a folder/],
    ['a file as a folder', () => ['sample', '--grid', path('small.yaml', 'a.png')], /cannot be written/],
    ['a table of another kind', () => ['eval', '--from', run(), '--json', path('t.txt')], /ends in .json/],
    ['a run inside its data', () => train('set/data/run'), /is inside the data/],
    ['data inside a run', () => train('set'), /the data .* is inside --out/],
    [
      'images inside the data',
      () => ['sample', '--from', run(), '--images', path('set', 'data', 'c')],
      /is inside the data/,
    ],
    ['a batch that no buffer holds', () => train('big', '--batch', '16777216'), /a buffer holds less/],
    ['weights of no kind', () => ['convert', path('small.yaml'), '--out', path('c.safetensors')], /is no weights file/],
  ] as [string, () => string[], RegExp][])('refuses %s before any work', async (_, args, message) => {
    const nowhere = { VK_ICD_FILENAMES: '/nonexistent', VK_DRIVER_FILES: '/nonexistent' }; // a device would be another error
    const { code, stderr } = await ucgm(args(), nowhere);
    expect(stderr).toMatch(message);
    expect(stderr.trim()).toMatch(/^(warning: .*\n)?ucgm: [^\n]*Fix: [^\n]+$/);
    expect(code).toBe(2);
  });

  it('says its version', async () => {
    expect(await ucgm(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });
});
