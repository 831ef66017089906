import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { decode as decodePng } from 'fast-png';
import { zipSync } from 'fflate';
import { beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors, writeSafetensorsAtomic } from '../../src/io/safetensors.node.ts';
import { type RawTensor, toFloat32 } from '../../src/io/safetensors.ts';
import { parseConfig } from '../../src/run/settings.ts';
import { drawnPixel, drawPictures } from '../data/drawn_pictures.ts';
import { temporaryFolder, ucgm } from './run.ts';

const YAML = `
model: { name: tiny, hidden_size: 32, depth: 1, num_heads: 2, patch_size: 4 }
data: { batch_size: 8 }
transport: { enhanced_ratio: 0 }
train: { steps: 4, seed: 3, checkpoint_every: 4, sample_every: 4, log_every: 1, ema_decay: 0.5 }
sample: { sampling_steps: 2 }
`;
const ROOT = resolve(import.meta.dirname, '../..');
/** A network of features for pictures of 3 x 8 x 8, of fixed numbers. */
const NOTE = 'conv3x3 s2 p1 3-4, relu, flatten (c,h,w), fc 64-8 = features. Input 8x8 in [-1,1].';

describe('ucgm encode, and runs on what it writes', () => {
  const path = temporaryFolder();
  const encode = (data: string, vae: string, out: string, ...more: string[]) =>
    ucgm(['encode', '--data', path(data), '--vae', vae, '--out', path(out), ...more]);
  const tensorOf = (file: string, name: string) => {
    const tensor = readSafetensors(file).tensors.get(name) as RawTensor;
    return { shape: tensor.shape, data: toFloat32(tensor) };
  };
  const picture = (file: string) => decodePng(readFileSync(file));

  beforeAll(async () => {
    drawPictures(path('pictures'), { classes: ['cat', 'dog'], count: 10, width: 8, height: 8 });
    writeFileSync(path('pictures', 'dog', 'torn.png'), readFileSync(path('pictures', 'cat', '0.png')).subarray(0, 60));
    const done = await encode('pictures', 'idae_f1c3', 'shards', '--batch', '4');
    expect([done.code, done.stdout]).toEqual([
      0,
      expect.stringContaining('10 latents of 3 x 8 x 8, 2 classes, by idae_f1c3'),
    ]);
    expect(done.stderr).toMatch(/^left out: 1 unreadable PNG file \(.*torn.png: /);
    writeFileSync(path('run.yaml'), YAML);
    const args = ['train', '--config', path('run.yaml'), '--data', path('shards'), '--out', path('run')];
    expect(await ucgm(args)).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.not.stringContaining('pictures are of'),
    });
  });

  it('writes latents, those of the mirror images, labels, class names and statistics', () => {
    expect(readdirSync(path('shards'))).toEqual(['00000.safetensors', 'latents_stats.safetensors']);
    const shard = path('shards', '00000.safetensors');
    const { shape, data } = tensorOf(shard, 'latents');
    const flipped = tensorOf(shard, 'latents_flip').data;
    expect(shape).toEqual([10, 3, 8, 8]);
    expect([...tensorOf(shard, 'labels').data]).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
    for (const [sample, number] of [0, 2, 4, 6, 8, 1, 3, 5, 7, 9].entries())
      for (const [c, y, x] of [
        [0, 0, 0],
        [1, 3, 6],
        [2, 7, 1],
      ] as const) {
        const value = drawnPixel(number, c, y, x) / 127.5 - 1;
        expect(data[((sample * 3 + c) * 8 + y) * 8 + x]).toBeCloseTo(value, 6);
        expect(flipped[((sample * 3 + c) * 8 + y) * 8 + 7 - x]).toBeCloseTo(value, 6);
      }
    expect(readSafetensors(shard).metadata).toEqual({ autoencoder: 'idae_f1c3', class_names: '["cat","dog"]' });
  });

  it('a run keeps the autoencoder and the classes, and its grids are pictures', () => {
    const { data } = parseConfig(readFileSync(path('run', 'config.yaml'), 'utf8'), 'config.yaml');
    expect(data).toMatchObject({ autoencoder: 'idae_f1c3', class_names: ['cat', 'dog'], latent_norm: true });
    expect(picture(path('run', 'samples', '4.png'))).toMatchObject({ channels: 3, width: 18, height: 38 });
    expect(existsSync(path('run', 'report.html'))).toBe(true);
  });

  it('samples pictures, as a grid and one by one, and the latents that they are decoded from', async () => {
    const out = [
      '--grid',
      path('a.png'),
      '--images',
      path('a'),
      '--npz',
      path('a.npz'),
      '--latents',
      path('a.safetensors'),
    ];
    const { code, stderr } = await ucgm(['sample', '--from', path('run'), '--count', '4', ...out]);
    expect([code, stderr]).toEqual([0, '']);
    expect(readdirSync(path('a'))).toEqual(['000000.png', '000001.png', '000002.png', '000003.png', 'labels.csv']);
    const { data } = tensorOf(path('a.safetensors'), 'latents');
    const [grid, first] = [picture(path('a.png')), picture(path('a', '000000.png'))];
    const shown = (value: number) => Math.round(127.5 * (Math.min(1, Math.max(-1, value)) + 1));
    for (let i = 0; i < 64; i++)
      for (let c = 0; c < 3; c++) {
        expect(first.data[3 * i + c]).toBe(shown(data[64 * c + i] as number));
        expect(grid.data[3 * (Math.floor(i / 8) * grid.width + (i % 8)) + c]).toBe(first.data[3 * i + c]);
      }
    // The way back: what decode writes of those latents is what sample wrote.
    expect(await ucgm(['decode', path('a.safetensors'), '--images', path('b')])).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(path('b', '000002.png')).equals(readFileSync(path('a', '000002.png')))).toBe(true);
  });

  it('scores pictures against a folder that is cropped as encode does', async () => {
    const weights = (shape: number[], scale: number) => ({
      shape,
      data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => scale * Math.sin(1.7 * i + 0.3)),
    });
    writeSafetensorsAtomic(
      path('features.safetensors'),
      [
        ['conv1.weight', weights([4, 3, 3, 3], 0.4)],
        ['conv1.bias', weights([4], 0.1)],
        ['fc1.weight', weights([8, 64], 0.3)],
        ['fc1.bias', weights([8], 0.1)],
      ],
      { note: NOTE },
    );
    drawPictures(path('wide'), { classes: ['cat', 'dog'], count: 12, width: 20, height: 16 });
    const evaluate = (...more: string[]) =>
      ucgm([
        'eval',
        '--from',
        path('run'),
        '--images',
        '12',
        '--steps',
        '1',
        '--features',
        path('features.safetensors'),
        ...more,
      ]);
    const { code, stdout, stderr } = await evaluate('--data', path('wide'), '--json', path('eval.json'));
    expect([code, stderr, stdout]).toEqual([0, '', expect.stringContaining('12 images to compare with')]);
    const [row] = (JSON.parse(readFileSync(path('eval.json'), 'utf8')) as { rows: { frechet: number }[] }).rows;
    expect(row?.frechet).toBeGreaterThan(0);
    expect(await evaluate()).toMatchObject({ code: 2, stderr: expect.stringContaining('give --data FOLDER') });
  });

  it('decodes an .npz of another program', async () => {
    const values = Float32Array.from({ length: 2 * 3 * 4 * 4 }, (_, i) => Math.sin(i));
    const header = `${"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 4, 4), }".padEnd(117)}\n`;
    const head = Uint8Array.of(0x93, ...Buffer.from('NUMPY'), 1, 0, header.length, 0, ...Buffer.from(header));
    const array = Buffer.concat([head, Buffer.from(values.buffer)]);
    writeFileSync(path('z.npz'), zipSync({ 'latents.npy': new Uint8Array(array) }));
    const args = ['decode', path('z.npz'), '--grid', path('z.png')];
    expect(await ucgm([...args, '--vae', 'idae_f1c3'])).toMatchObject({ code: 0, stderr: '' });
    expect(picture(path('z.png')).data[0]).toBe(128); // sin 0
    expect(await ucgm(args)).toMatchObject({ code: 2, stderr: expect.stringContaining('give --vae KEY') });
    expect(await ucgm([...args, '--vae', 'taef2'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('those of taef2 32'),
    });
  });

  it('taef2 needs no file, and gives pictures back', async () => {
    drawPictures(path('large'), { classes: ['all'], count: 2, width: 40, height: 32 });
    expect((await encode('large', 'taef2', 'latents', '--size', '32', '--no-flip')).code).toBe(0);
    const shard = path('latents', '00000.safetensors');
    expect(tensorOf(shard, 'latents').shape).toEqual([2, 32, 4, 4]);
    expect(readSafetensors(shard).tensors.has('latents_flip')).toBe(false);
    expect((await ucgm(['decode', shard, '--images', path('back')])).code).toBe(0);
    const back = picture(path('back', '000000.png'));
    let squares = 0;
    for (let i = 0; i < 1024; i++)
      for (let c = 0; c < 3; c++)
        squares += ((back.data[3 * i + c] as number) - drawnPixel(0, c, Math.floor(i / 32), 4 + (i % 32))) ** 2;
    expect(Math.sqrt(squares / 3072)).toBeLessThan(16); // of 255
  });

  it('a run finds the weights again that encode was given', async () => {
    mkdirSync(path('weights'));
    copyFileSync(join(ROOT, 'models/taef2.safetensors'), path('weights', 'mine.safetensors'));
    const weights = relative(ROOT, path('weights', 'mine.safetensors'));
    expect((await encode('large', 'taef2', 'own', '--size', '16', '--weights', weights)).code).toBe(0);
    const { metadata } = readSafetensors(path('own', '00000.safetensors'));
    expect(metadata.autoencoder_weights).toBe('../weights/mine.safetensors');
    writeFileSync(path('own.yaml'), YAML.replace('patch_size: 4', 'patch_size: 2'));
    const args = ['train', '--config', path('own.yaml'), '--data', relative(ROOT, path('own')), '--out', path('owned')];
    expect((await ucgm(args)).code).toBe(0);
    const { data } = parseConfig(readFileSync(path('owned', 'config.yaml'), 'utf8'), 'config.yaml');
    expect(data).toMatchObject({ name: '../own', autoencoder_weights: '../weights/mine.safetensors' });
    const sample = ['sample', '--from', path('owned'), '--count', '1', '--grid', path('owned.png')];
    expect(await ucgm(sample)).toMatchObject({ code: 0, stderr: '' });
    expect(picture(path('owned.png'))).toMatchObject({ channels: 3, width: 16, height: 16 });
    renameSync(path('weights'), path('moved'));
    expect(await ucgm(sample)).toMatchObject({ code: 2, stderr: expect.stringContaining('mine.safetensors') });
    const moved = ['--vae', 'taef2', '--vae-weights', path('moved', 'mine.safetensors')];
    expect(await ucgm([...sample, ...moved])).toMatchObject({ code: 0 });
  });

  it('refuses what cannot be, before it works', async () => {
    mkdirSync(path('none'));
    const refused = async (ended: ReturnType<typeof ucgm>, message: string) =>
      expect(await ended).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
    await refused(encode('none', 'idae_f1c3', 'x'), 'holds no images');
    await refused(encode('pictures', 'taef3', 'x'), 'there is no autoencoder taef3');
    await refused(encode('pictures', 'idae_f1c3', 'shards'), 'give a folder that is new or empty');
    await refused(encode('pictures', 'idae_f1c3', 'pictures/x'), 'is inside the data');
    await refused(encode('pictures', 'taef2', 'x', '--size', '12'), 'multiples of 8');
    renameSync(path('wide', 'cat', '0.png'), path('pictures', 'cat', 'wide.png'));
    await refused(encode('pictures', 'idae_f1c3', 'x'), 'give --size');
    expect(existsSync(path('x'))).toBe(false);
    writeFileSync(path('other.yaml'), YAML.replace('data: {', 'data: { autoencoder: taef2,'));
    const train = ['train', '--config', path('other.yaml'), '--data', path('shards'), '--out', path('y')];
    await refused(ucgm(train), 'the latents of');
  });
});
