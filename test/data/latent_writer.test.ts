import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { LatentShards } from '../../src/data/latent_shards.node.ts';
import { LatentShardWriter } from '../../src/data/latent_writer.node.ts';
import { raw, useLatentFolder } from './latent_folder.ts';

const { path, withBatches } = useLatentFolder();
const SHAPE = [2, 2, 3] as const;
const ONE = 12;
const ORIGIN = { autoencoder: 'sdvae_f8c4', weights: '../sd.safetensors', classNames: ['cat', 'dog', 'owl'] };
/** `count` samples from number `first` on; every number is told by its sample and place, mirrored ones are negative. */
const part = (first: number, count: number) => {
  const latents = Float32Array.from({ length: count * ONE }, (_, i) => 1 + first * ONE + i);
  return { latents, flipped: latents.map((v) => -v), labels: Array.from({ length: count }, (_, i) => (first + i) % 2) };
};

it('writes shards that are read as they were given, and says what they are of', async () => {
  const writer = new LatentShardWriter(path(), SHAPE, ORIGIN, 5);
  for (const first of [0, 3, 6]) writer.add(part(first, 3));
  writer.add(part(9, 1));
  writer.close();
  expect(readdirSync(path())).toEqual(['00000.safetensors', '00001.safetensors']);
  const shards = await LatentShards.open(path());
  expect([shards.size, shards.numClasses, shards.origin]).toEqual([10, 3, ORIGIN]);
  expect([...shards.labels]).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
  for (const mirror of [false, true]) {
    const out = new Float32Array(2 * ONE);
    await shards.read(Uint32Array.of(7, 2), () => mirror, out);
    const { latents, flipped } = part(0, 10);
    const all = mirror ? flipped : latents;
    expect([...out]).toEqual([...all.subarray(7 * ONE, 8 * ONE), ...all.subarray(2 * ONE, 3 * ONE)]);
  }
  await shards.close();
  writer.discard();
  expect(existsSync(path())).toBe(false);
});

it('scales by what belongs to the autoencoder, where the settings do not say how', async () => {
  const writer = new LatentShardWriter(path(), SHAPE, ORIGIN);
  writer.add(part(0, 4));
  writer.close();
  const { normalise: _, ...order } = raw;
  const scaleOf = (key: string) => ({ mean: [key.length, 0], std: [2, 1], multiplier: 0.5 });
  const first = (latents: { mean: Float32Array; std: Float32Array; multiplier: number }) => [
    latents.mean[0],
    latents.std[0],
    latents.multiplier,
  ];
  expect(await withBatches({ ...order, scaleOf }, async (b) => first(b.latents))).toEqual([10, 2, 0.5]);
  expect(await withBatches({ ...raw, scaleOf }, async (b) => first(b.latents))).toEqual([0, 1, 1]);
  const measured = await withBatches({ ...order, multiplier: 1, scaleOf }, async (b) => b.latents.mean[0]);
  expect(measured).toBeCloseTo(21.5, 4); // of 1 to 6 and so on, by 12
  expect(await withBatches(order, async (b) => b.classNames)).toEqual(ORIGIN.classNames);
});

it('shards of two autoencoders, and class names that are none, are refused', async () => {
  const write = (autoencoder: string) => {
    const writer = new LatentShardWriter(path(), SHAPE, { ...ORIGIN, autoencoder });
    writer.add(part(0, 2));
    writer.close();
    return readFileSync(path('00000.safetensors'));
  };
  const bytes = write('taef2');
  write('sdvae_f8c4');
  writeFileSync(path('a.safetensors'), bytes);
  await expect(LatentShards.open(path())).rejects.toThrow('a.safetensors is of taef2 or of other classes');
  const text = bytes.toString('latin1').replace('[\\"cat\\"', '{\\"cat\\"');
  writeFileSync(path('00000.safetensors'), Buffer.from(text, 'latin1'));
  await expect(LatentShards.open(path())).rejects.toThrow('class_names is no list of names');
});
