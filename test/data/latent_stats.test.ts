import { mkdirSync, truncateSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { LatentBatches } from '../../src/data/latent_batches.node.ts';
import { LatentShards } from '../../src/data/latent_shards.node.ts';
import { latentStats, readLatentStats } from '../../src/data/latent_stats.node.ts';
import { readSafetensorsHeader } from '../../src/io/safetensors.node.ts';
import { ONE, order, useLatentFolder } from './latent_folder.ts';
import { f32, i64, writeRaw, writeShard } from './shards.ts';

const { path, twoShards, withBatches } = useLatentFolder();

describe('statistics of latents', () => {
  const cache = () => path('latents_stats.safetensors');
  const measured = async () => {
    const shards = await LatentShards.open(path());
    const result = await latentStats(shards).finally(() => shards.close());
    return { ...result, bytesRead: shards.files.bytesRead };
  };

  it('are measured once, kept beside the shards and taken for none of them', async () => {
    twoShards();
    const first = await measured();
    expect(first.warnings).toEqual([]);
    expect(readLatentStats(cache())).toEqual(first.stats);
    expect(first.stats.samples).toBe(12);
    expect(readSafetensorsHeader(cache()).tensors.get('std')?.shape).toEqual([1, 2, 1, 1]);
    const again = await measured();
    expect(again.stats).toEqual(first.stats);
    expect(first.bytesRead - again.bytesRead).toBe(12 * ONE * 4);
  });

  it('are measured again when the shards change, or the file is damaged', async () => {
    twoShards();
    const { stats } = await measured();
    writeShard(path('c.safetensors'), { first: 100, count: 3 });
    const more = (await measured()).stats;
    expect(more.mean[0]).toBeGreaterThan(stats.mean[0]! + 5);
    expect(readLatentStats(cache())).toEqual(more);
    truncateSync(cache(), 30);
    const mended = await measured();
    expect(mended.stats).toEqual(more);
    expect(mended.warnings).toEqual([expect.stringMatching(/measured the latents again: .*latents_stats.safetensors/)]);
    expect((await measured()).warnings).toEqual([]);
  });

  it('cost a warning where they cannot be kept', async () => {
    twoShards();
    mkdirSync(cache()); // in the way of the file, also for a superuser
    const { stats, warnings } = await measured();
    expect(stats.samples).toBe(12);
    expect(warnings.at(-1)).toMatch(/are not kept: .*latents_stats.safetensors: it cannot be written/);
    await withBatches(order, async (batches) => expect(batches.warnings).toEqual(warnings));
  });

  it('refuse a channel without deviation', async () => {
    writeRaw(path('x.safetensors'), { latents: f32([1, 2, 1, 2], [1, 2, 5, 5]), labels: i64([0]) });
    await expect(measured()).rejects.toThrow(/channel 1 of the latents has standard deviation 0.*latent_norm/);
  });

  it('of another number of channels are refused', async () => {
    twoShards();
    const stats = { mean: Float32Array.of(0), std: Float32Array.of(1), samples: 1, fingerprint: '' };
    await expect(LatentBatches.open(path(), { ...order, stats })).rejects.toThrow(/2 channels, the run's statistics 1/);
  });

  it('are measured again, with a warning, where names and sizes are the same but the latents are not', async () => {
    twoShards();
    const mean = () => withBatches(order, async ({ stats, warnings }) => [stats.mean[0] as number, warnings.length]);
    const [before] = (await mean()) as [number, number];
    expect(await mean()).toEqual([before, 0]);
    writeShard(path('a.safetensors'), { first: 50, count: 7 });
    const [after, warnings] = (await mean()) as [number, number];
    expect(after).toBeGreaterThan(before + 10);
    expect(warnings).toBe(1);
    expect(await mean()).toEqual([after, 0]);
  });

  it('of a run go before those of the folder, with a warning where the shards have changed', async () => {
    twoShards();
    const { stats } = await measured();
    await withBatches({ ...order, stats }, async (batches) => expect(batches.warnings).toEqual([]));
    writeShard(path('c.safetensors'), { first: 100, count: 3 });
    await withBatches({ ...order, stats }, async (batches) => {
      expect(batches.warnings).toEqual([expect.stringContaining('the shards have changed since the run began')]);
      expect(batches.latents.mean).toEqual(stats.mean);
    });
  });
});
