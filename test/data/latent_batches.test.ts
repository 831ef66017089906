import { readFileSync, renameSync, truncateSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../src/data/dataset.ts';
import { FilePool } from '../../src/data/file_pool.node.ts';
import { BATCHES_AHEAD, LatentBatches } from '../../src/data/latent_batches.node.ts';
import { isLatentFolder } from '../../src/data/latent_shards.node.ts';
import { isFlipped } from '../../src/data/latents.ts';
import { openBatches } from '../../src/data/load.node.ts';
import { batchIndices } from '../../src/data/order.ts';
import { ONE, order, raw, steps, useLatentFolder } from './latent_folder.ts';
import { f32, i64, latentValue, writeRaw, writeShard } from './shards.ts';

const { path, twoShards, withBatches } = useLatentFolder();

describe('a folder of latent shards', () => {
  it('gives the samples and labels of its order, half of them mirrored', async () => {
    twoShards();
    expect(isLatentFolder(path())).toBe(true);
    await withBatches(raw, async (batches) => {
      expect([batches.size, batches.channels, batches.height, batches.width, batches.numClasses]).toEqual([
        12, 2, 2, 3, 5,
      ]);
      const seen = new Set<boolean>();
      for (const step of [0, 1, 2, 3, 50]) {
        const { x, labels } = await batches.batch(step);
        batchIndices(3, 12, step, 4).forEach((sample, i) => {
          const flipped = isFlipped(3, step * 4 + i);
          seen.add(flipped);
          expect(labels[i]).toBe(sample % 5);
          const expected = Array.from({ length: ONE }, (_, at) => latentValue(sample, at, flipped));
          expect([...x.subarray(i * ONE, (i + 1) * ONE)]).toEqual(expected);
        });
      }
      expect(seen.size).toBe(2);
    });
  });

  it('gives batches of another size once it is open', async () => {
    twoShards();
    const five = await withBatches({ ...raw, batchSize: 5 }, (b) => steps(b, 0, 1, 7));
    const resized = (await LatentBatches.open(path(), raw)).ofSize(5);
    expect(await steps(resized, 0, 1, 7)).toEqual(five);
    await resized.close();
  });

  it('gives parts of batches that are together the whole ones, also as a configuration opens them', async () => {
    twoShards();
    const whole = await withBatches({ ...raw, batchSize: 5 }, (b) => steps(b, 0, 1, 7));
    const parts: number[][][] = [];
    for (const [first, size] of [
      [0, 3],
      [3, 2],
    ] as const) {
      const part = await withBatches({ ...raw, batchSize: size, shard: { first, of: 5 } }, (b) => steps(b, 0, 1, 7));
      parts.push(part);
      const data = { name: path(), batch_size: 5, latent_norm: false };
      const opened = await openBatches(data, raw.seed, undefined, { first, size });
      expect(await steps(opened as LatentBatches, 0, 1, 7)).toEqual(part);
      await opened.close();
    }
    const split = (batch: number[] | undefined, size: number) => [batch?.slice(0, -size), batch?.slice(-size)];
    whole.forEach((batch, i) => {
      const [[x1, y1], [x2, y2]] = [split(parts[0]?.[i], 3), split(parts[1]?.[i], 2)] as number[][][];
      expect([x1, x2, y1, y2].flat()).toEqual(batch);
    });
  });

  it('never mirrors where there are no mirrored latents', async () => {
    twoShards({ flips: false });
    await withBatches(raw, async (batches) => {
      for (let step = 0; step < 6; step++) expect((await batches.batch(step)).x.every((v) => v > -0.1)).toBe(true);
    });
  });

  it.each([
    ['F16', Uint16Array.of(0x3c00, 0xc000, 0x3555, 0x0001), [1, -2, 0.333251953125, 2 ** -24]],
    ['BF16', Uint16Array.of(0x3f80, 0xc000, 0x3eab, 0x4049), [1, -2, 0.333984375, 3.140625]],
  ])('reads %s', async (dtype, bytes, values) => {
    const tensor = { dtype, shape: [1, 1, 2, 2], bytes };
    writeRaw(path('x.safetensors'), { latents: tensor, latents_flip: tensor, labels: i64([0]) });
    await withBatches({ ...raw, batchSize: 1 }, async (b) => expect([...(await b.batch(0)).x]).toEqual(values));
  });

  it('normalises by channel and multiplies, as a plain computation in doubles', async () => {
    twoShards();
    await withBatches({ ...order, multiplier: 0.5 }, async (batches) => {
      const channel = (c: number) =>
        Array.from({ length: 12 * 6 }, (_, i) => latentValue(Math.floor(i / 6), c * 6 + (i % 6), false));
      const stats = [0, 1].map((c) => {
        const mean = channel(c).reduce((a, b) => a + b, 0) / 72;
        return { mean, std: Math.sqrt(channel(c).reduce((a, b) => a + (b - mean) ** 2, 0) / 71) };
      });
      for (const step of [0, 7]) {
        const { x } = await batches.batch(step);
        batchIndices(3, 12, step, 4).forEach((sample, i) => {
          for (let at = 0; at < ONE; at++) {
            const { mean, std } = stats[Math.floor(at / 6)]!;
            const expected = ((latentValue(sample, at, isFlipped(3, step * 4 + i)) - mean) / std) * 0.5;
            expect(Math.abs(x[i * ONE + at]! - expected)).toBeLessThan(1e-6);
          }
        });
      }
    });
  });

  it('gives a resumed run the batches of one that never stopped', async () => {
    twoShards();
    const whole = await withBatches(order, (b) => steps(b, 0, 1, 2, 3, 4, 5, 6, 7));
    expect(await withBatches(order, (b) => steps(b, 5, 6, 7))).toEqual(whole.slice(5));
    expect(await withBatches(order, (b) => steps(b, 7, 2, 3, 1))).toEqual([7, 2, 3, 1].map((s) => whole[s]));
    expect(await withBatches({ ...order, seed: 4 }, (b) => steps(b, 0))).not.toEqual(whole.slice(0, 1));
  });

  it('reads ahead of what is asked for, and no further', async () => {
    twoShards();
    const files = new FilePool();
    const batch = 4 * ONE * 4;
    await withBatches(
      raw,
      async (batches) => {
        const before = files.bytesRead;
        await batches.batch(0);
        while (files.bytesRead < before + batch * (1 + BATCHES_AHEAD)) await sleep(5);
        await sleep(20); // would it read on?
        expect(files.bytesRead - before).toBe(batch * (1 + BATCHES_AHEAD));
        await batches.batch(1); // is there already: reads the next behind it only
        while (files.bytesRead < before + batch * (2 + BATCHES_AHEAD)) await sleep(5);
        expect(files.bytesRead - before).toBe(batch * (2 + BATCHES_AHEAD));
      },
      files,
    );
    expect(files.openFiles).toBe(0);
  });

  it('keeps few files open', async () => {
    for (let i = 0; i < 12; i++) writeShard(path(`${10 + i}.safetensors`), { first: i * 3, count: 3 });
    const files = new FilePool(2);
    await withBatches(
      { ...raw, batchSize: 36 },
      async (batches) => {
        const [first] = await steps(batches, 0);
        while (files.openFiles > 2) await sleep(5); // until what is read ahead is read
        expect(await withBatches({ ...raw, batchSize: 36 }, (b) => steps(b, 0))).toEqual([first]);
      },
      files,
    );
  });

  it('is found by the name of the folder, and refuses settings that do not go with it', async () => {
    twoShards();
    const opened = await openBatches({ name: path(), batch_size: 2, num_classes: 9, latent_multiplier: 2 }, 0);
    expect([opened.size, opened.numClasses, opened.latents?.multiplier]).toEqual([12, 9, 2]);
    await opened.close();
    await expect(openBatches({ name: path(), batch_size: 2, size: 8 }, 0)).rejects.toThrow(
      /are 2x3.*leave data.size out/,
    );
    await expect(openBatches({ name: 'shapes', batch_size: 2, latent_norm: true }, 0)).rejects.toThrow(
      /data.latent_norm is set, but shapes holds no latents/,
    );
    await expect(openBatches({ name: 'shapes', batch_size: 2, num_classes: 3 }, 0)).rejects.toThrow(
      'shapes has 6 classes, data.num_classes is 3',
    );
  });
});

describe('shards that go wrong while they are read', () => {
  const failing = async (harm: (batches: LatentBatches) => void | Promise<void>, message: RegExp) => {
    twoShards();
    const files = new FilePool(0); // nothing stays open, so that every read meets the file as it is
    const batches = await LatentBatches.open(path(), raw, files);
    await harm(batches);
    const reading = (async () => {
      for (let step = 0; step < 20; step++) await batches.batch(step);
    })();
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.toBeInstanceOf(DataError);
    await batches.close(); // the reads ahead have failed too: nobody may hear of it
    await expect(batches.batch(0)).rejects.toThrow('was closed');
    expect(files.openFiles).toBe(0);
  };

  it('vanished', () =>
    failing(() => renameSync(path('a.safetensors'), path('gone')), /a.safetensors cannot be read .ENOENT/));
  it('truncated', () =>
    failing(() => truncateSync(path('b.safetensors'), 400), /b.safetensors has 400 bytes, at the start/));
  it('truncated while open', async () => {
    twoShards();
    const [before, files] = [readFileSync(path('b.safetensors')), new FilePool()];
    await withBatches(
      raw,
      async (batches) => {
        for (let step = 0; step < 3; step++) await batches.batch(step); // one epoch: both files are open
        truncateSync(path('b.safetensors'), before.length - 5 * 8 - ONE * 4 * 5);
        const reading = steps(batches, ...Array.from({ length: 40 }, (_, i) => 3 + i));
        await expect(reading).rejects.toThrow(/b.safetensors ends at byte \d+/);
      },
      files,
    );
  });
  it('a value that is not finite', async () => {
    twoShards();
    const values = Array.from({ length: 2 * ONE }, (_, i) => (i === ONE + 3 ? Number.NaN : i));
    writeRaw(path('c.safetensors'), { latents: f32([2, 2, 2, 3], values), labels: i64([0, 1]) });
    await withBatches(raw, async (batches) => {
      await expect(steps(batches, 0, 1, 2, 3)).rejects.toThrow(/c.safetensors: sample 1 holds NaN/);
    });
  });
});
