import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/data/dataset.ts';
import { LatentBatches } from '../../src/data/latent_batches.node.ts';
import { LatentShards } from '../../src/data/latent_shards.node.ts';
import { readSafetensorsHeader } from '../../src/io/safetensors.node.ts';
import { order, useLatentFolder } from './latent_folder.ts';
import { f32, i64, latentValue, writeRaw, writeShard } from './shards.ts';

const { path, twoShards } = useLatentFolder();

describe('shards that do not fit are refused by name', () => {
  const good = f32([2, 1, 1, 2], [1, 2, 3, 4]);
  const labels = i64([0, 1]);
  const floats = (...values: number[]) => f32([values.length], values);
  it.each([
    ['no latents', { labels }, /x.safetensors has no tensor latents/],
    ['no labels', { latents: good }, /x.safetensors has no tensor labels/],
    ['labels of another number', { latents: good, labels: i64([0]) }, /x.safetensors: labels are \[1\] for 2 samples/],
    ['latents of three dimensions', { latents: f32([2, 1, 2], [1, 2, 3, 4]), labels }, /latents is \[2,1,2\]/],
    ['another dtype', { latents: { ...good, dtype: 'I32' }, labels }, /latents is I32/],
    [
      'other mirrored ones',
      { latents: good, latents_flip: f32([1, 1, 1, 2], [1, 2]), labels },
      /latents_flip is \[1,1,1,2\]/,
    ],
    [
      'another size',
      { latents: f32([2, 1, 2, 1], [1, 2, 3, 4]), labels },
      /x.safetensors holds .*\[1,2,1\], .*a.safetensors of \[1,1,2\]/,
    ],
    [
      'a NaN label',
      { latents: good, labels: floats(0, Number.NaN) },
      /x.safetensors: label NaN of sample 1 is no class/,
    ],
    ['a negative label', { latents: good, labels: i64([-1, 0]) }, /label -1 of sample 0 is no class/],
    [
      'a label past the classes',
      { latents: good, labels: i64([1, 4]) },
      /label 4 of sample 1 is outside the 4 classes/,
    ],
  ])('%s', async (_, tensors, message) => {
    writeRaw(path('a.safetensors'), { latents: good, labels });
    writeRaw(path('x.safetensors'), tensors);
    const opening = LatentBatches.open(path(), { ...order, numClasses: 4 });
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toThrow(/Fix: .+$/);
    await expect(opening).rejects.toBeInstanceOf(DataError);
  });

  it('cut, or no safetensors at all', async () => {
    twoShards();
    truncateSync(path('b.safetensors'), 300);
    await expect(LatentShards.open(path())).rejects.toThrow(/b.safetensors.*Fix/);
    writeFileSync(path('b.safetensors'), 'no');
    await expect(LatentShards.open(path())).rejects.toThrow(/b.safetensors: 2 bytes are too few/);
  });

  it('empty ones all of them', async () => {
    writeRaw(path('a.safetensors'), { latents: f32([0, 1, 2, 2], []), labels: i64([]) });
    await expect(LatentShards.open(path())).rejects.toThrow('holds no samples');
  });
});

describe('readSafetensorsHeader', () => {
  it('reads no data, and what the whole reading would refuse it refuses', () => {
    writeShard(path('a.safetensors'), { first: 0, count: 2 });
    const { tensors, fileSize } = readSafetensorsHeader(path('a.safetensors'));
    const file = readFileSync(path('a.safetensors'));
    expect(fileSize).toBe(file.length);
    expect(tensors.get('labels')?.end).toBe(file.length);
    expect(file.readFloatLE(tensors.get('latents_flip')!.begin)).toBe(latentValue(0, 0, true));
    truncateSync(path('a.safetensors'), file.length - 1);
    expect(() => readSafetensorsHeader(path('a.safetensors'))).toThrow(/a.safetensors: tensor "labels".*outside/);
    for (const length of [0, 7, 20]) {
      truncateSync(path('a.safetensors'), length);
      expect(() => readSafetensorsHeader(path('a.safetensors'))).toThrow(/a.safetensors: .*Fix/);
    }
  });
});
