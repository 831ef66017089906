import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataError } from '../../src/data/dataset.ts';
import { FilePool } from '../../src/data/file_pool.node.ts';
import { BATCHES_AHEAD, LatentBatches, type LatentOptions } from '../../src/data/latent_batches.node.ts';
import { isLatentFolder, LatentShards } from '../../src/data/latent_shards.node.ts';
import { latentStats, readLatentStats } from '../../src/data/latent_stats.node.ts';
import {
  ChannelMoments,
  denormaliseLatents,
  evenlySpread,
  isFlipped,
  normaliseLatents,
} from '../../src/data/latents.ts';
import { openBatches } from '../../src/data/load.node.ts';
import { batchIndices } from '../../src/data/order.ts';
import { ReadAhead } from '../../src/data/read_ahead.ts';
import { readSafetensorsHeader } from '../../src/io/safetensors.node.ts';
import { f32, i64, latentValue, writeRaw, writeShard } from './shards.ts';

const ONE = 12;
let root = '';
const path = (...parts: string[]) => join(root, ...parts);
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ucgm-latents-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Two shards of 7 and 5 samples. */
function twoShards(options: { flips?: boolean } = {}): void {
  writeShard(path('b.safetensors'), { first: 7, count: 5, ...options });
  writeShard(path('a.safetensors'), { first: 0, count: 7, ...options });
}

const order = { seed: 3, batchSize: 4 };
const raw: LatentOptions = { ...order, normalise: false };

/** Opens, uses and closes. */
async function withBatches<T>(options: LatentOptions, use: (b: LatentBatches) => Promise<T>, files?: FilePool) {
  const batches = await LatentBatches.open(root, options, files);
  try {
    return await use(batches);
  } finally {
    await batches.close();
  }
}

const steps = async (batches: LatentBatches, ...which: number[]) => {
  const out: number[][] = [];
  for (const step of which) {
    const { x, labels } = await batches.batch(step);
    out.push([...x, ...labels]);
  }
  return out;
};

describe('isFlipped', () => {
  it('is a fair coin, a function of seed and position', () => {
    const flips = (seed: number, from = 0) => Array.from({ length: 10_000 }, (_, i) => isFlipped(seed, from + i));
    const share = flips(1).filter(Boolean).length;
    expect(Math.abs(share - 5000)).toBeLessThan(6 * 50); // six standard deviations
    expect(flips(1)).toEqual(flips(1));
    expect(flips(1)).not.toEqual(flips(2));
    expect(flips(1)).not.toEqual(flips(1, 2 ** 32));
    const changes = flips(1).filter((flip, i, all) => i > 0 && flip !== all[i - 1]).length;
    expect(Math.abs(changes - 5000)).toBeLessThan(6 * 50);
  });
});

describe('evenlySpread', () => {
  it('takes all of few, and rises evenly through many', () => {
    expect([...evenlySpread(3, 10)]).toEqual([0, 1, 2]);
    expect([...evenlySpread(10, 4)]).toEqual([0, 2, 5, 7]);
    expect(evenlySpread(1_281_167, 10_000).at(-1)).toBe(1_281_038);
  });
});

describe('scaling of latents', () => {
  const values = Float32Array.from({ length: 3 * 2 * 50 }, (_, i) => 1000 * (i % 2) + Math.sin(i * i) * (1 + (i % 3)));

  it('is the mean and unbiased deviation by channel of a plain computation in doubles', () => {
    const moments = new ChannelMoments(2);
    moments.add(values.subarray(0, 100), 50);
    moments.add(values.subarray(100), 50);
    const { mean, std } = moments.result();
    for (const c of [0, 1]) {
      const own = [...values].filter((_, i) => Math.floor(i / 50) % 2 === c);
      const average = own.reduce((a, b) => a + b, 0) / own.length;
      const variance = own.reduce((a, b) => a + (b - average) ** 2, 0) / (own.length - 1);
      expect(mean[c]).toBe(Math.fround(average));
      expect(Math.abs(std[c]! / Math.sqrt(variance) - 1)).toBeLessThan(1e-7);
    }
  });

  it('is undone by the way back', () => {
    const scale = { mean: Float32Array.of(0.5, -3), std: Float32Array.of(2, 7), multiplier: 0.25 };
    const there = Float32Array.of(0.5, 2.5, -3, 4);
    normaliseLatents(there, 2, scale);
    expect([...there]).toEqual([0, 0.25, 0, 0.25]);
    denormaliseLatents(there, 2, scale);
    expect([...there]).toEqual([0.5, 2.5, -3, 4]);
  });
});

describe('a folder of latent shards', () => {
  it('gives the samples and labels of its order, half of them mirrored', async () => {
    twoShards();
    expect(isLatentFolder(root)).toBe(true);
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
      const data = { name: root, batch_size: 5, latent_norm: false };
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
        for (let i = 0; i < 200 && files.bytesRead < before + batch * (1 + BATCHES_AHEAD); i++) await sleep(5);
        await sleep(20);
        expect(files.bytesRead - before).toBe(batch * (1 + BATCHES_AHEAD));
        await batches.batch(1); // is there already: reads the next behind it only
        for (let i = 0; i < 200 && files.bytesRead < before + batch * (2 + BATCHES_AHEAD); i++) await sleep(5);
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
        await sleep(50); // what is read ahead is read
        expect(files.openFiles).toBeLessThanOrEqual(2);
        expect(await withBatches({ ...raw, batchSize: 36 }, (b) => steps(b, 0))).toEqual([first]);
      },
      files,
    );
  });

  it('is found by the name of the folder, and refuses settings that do not go with it', async () => {
    twoShards();
    const opened = await openBatches({ name: root, batch_size: 2, num_classes: 9, latent_multiplier: 2 }, 0);
    expect([opened.size, opened.numClasses, opened.latents?.multiplier]).toEqual([12, 9, 2]);
    await opened.close();
    await expect(openBatches({ name: root, batch_size: 2, size: 8 }, 0)).rejects.toThrow(
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

describe('statistics of latents', () => {
  const cache = () => path('latents_stats.safetensors');
  const measured = async () => {
    const shards = await LatentShards.open(root);
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
    await expect(LatentBatches.open(root, { ...order, stats })).rejects.toThrow(/2 channels, the run's statistics 1/);
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
    const opening = LatentBatches.open(root, { ...order, numClasses: 4 });
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toThrow(/Fix: .+$/);
    await expect(opening).rejects.toBeInstanceOf(DataError);
  });

  it('cut, or no safetensors at all', async () => {
    twoShards();
    truncateSync(path('b.safetensors'), 300);
    await expect(LatentShards.open(root)).rejects.toThrow(/b.safetensors.*Fix/);
    writeFileSync(path('b.safetensors'), 'no');
    await expect(LatentShards.open(root)).rejects.toThrow(/b.safetensors: 2 bytes are too few/);
  });

  it('empty ones all of them', async () => {
    writeRaw(path('a.safetensors'), { latents: f32([0, 1, 2, 2], []), labels: i64([]) });
    await expect(LatentShards.open(root)).rejects.toThrow('holds no samples');
  });
});

describe('shards that go wrong while they are read', () => {
  const failing = async (harm: (batches: LatentBatches) => void | Promise<void>, message: RegExp) => {
    twoShards();
    const files = new FilePool(0); // nothing stays open, so that every read meets the file as it is
    const batches = await LatentBatches.open(root, raw, files);
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

describe('ReadAhead', () => {
  it('holds as many steps as it may, one read at a time, however long the run', async () => {
    let [now, most] = [0, 0];
    const ahead = new ReadAhead(async (step) => {
      most = Math.max(most, ++now);
      await sleep(0);
      now--;
      return step;
    }, 3);
    for (let step = 0; step < 100; step++) {
      expect(await ahead.get(step)).toBe(step);
      expect(ahead.held).toBe(3);
    }
    expect(most).toBe(1);
    await ahead.close();
    expect([ahead.held, now]).toEqual([0, 0]);
  });

  it('has the next step ready after a pause', async () => {
    const done: number[] = [];
    const ahead = new ReadAhead(async (step) => done.push(step), 2);
    await ahead.get(0);
    await sleep(10);
    expect(done).toEqual([0, 1, 2]);
    await ahead.get(1);
    await sleep(10);
    expect(done).toEqual([0, 1, 2, 3]);
    await ahead.get(9); // elsewhere: what was held is dropped
    await sleep(10);
    expect(done).toEqual([0, 1, 2, 3, 9, 10, 11]);
    await ahead.close();
  });

  it('stops what it reads on closing, and keeps the failures of what nobody asked for', async () => {
    const unhandled: unknown[] = [];
    const hear = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', hear);
    const started: number[] = [];
    const ahead = new ReadAhead(async (step, signal) => {
      started.push(step);
      if (step === 0) return step;
      while (!signal.aborted) await sleep(1);
      throw signal.reason;
    }, 3);
    await ahead.get(0);
    await sleep(5);
    await ahead.close();
    await sleep(5);
    process.off('unhandledRejection', hear);
    expect(started).toEqual([0, 1]);
    expect(unhandled).toEqual([]);
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
