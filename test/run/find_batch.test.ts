import { describe, expect, it } from 'vitest';
import { type BatchSource, nextBatch } from '../../src/data/batches.ts';
import { shapesDataset } from '../../src/data/shapes.ts';
import { draw } from '../../src/run/draw.ts';
import { findBatch } from '../../src/run/find_batch.ts';
import { settled, trainerOf } from '../../src/run/prepare.ts';
import { presetNamed } from '../../src/run/presets.ts';
import { mergeConfig, type PartialConfig, type RunConfig } from '../../src/run/settings.ts';
import { BufferLimitError, Workspace } from '../../src/tensor/index.ts';
import { openDevice, testDevice } from '../gpu.ts';

const dataset = shapesDataset({ count: 64, size: 28 });
const SMALL = { patch_size: 7, hidden_size: 32, depth: 2, num_heads: 2 };

/** A preset with a smaller network on small images. */
function configOf(train: Partial<RunConfig['train']> = {}, preset = 'tiny', name = 'tiny'): RunConfig {
  const own = { model: { name, ...SMALL }, data: { name: 'shapes', batch_size: 1 }, train };
  return settled(mergeConfig('test', presetNamed(preset), own as PartialConfig), dataset as unknown as BatchSource);
}

const unasked = () => Promise.reject(new Error('asked for the room, though there is a limit'));
const MANY = 10 ** 6;

/** The most bytes of five steps by a batch within a limit, and of those with the drawing of a sample after them. */
async function trained(config: RunConfig, batch_size: number, memoryLimit?: number) {
  const workspace = new Workspace(await testDevice(), { memoryLimit });
  const { data, train, sample } = config;
  try {
    const trainer = trainerOf(workspace, { ...config, data: { ...data, batch_size } });
    for (let step = 0; step < 5; step++) await trainer.train(nextBatch(dataset, 0, step, batch_size));
    await workspace.device.queue.onSubmittedWorkDone();
    const own = workspace.ledger.peak;
    const { average, network } = trainer;
    const drawing = { labels: Uint32Array.of(1), seed: 0, precision: train.precision ?? 'f32' } as const;
    const few = { ...config, sample: { ...sample, sampling_steps: 9 } };
    await draw(workspace.lease('sampling'), network, average, few, drawing);
    return { own, whole: workspace.ledger.peak };
  } finally {
    await workspace.dispose();
  }
}

describe('the batch that a device holds', () => {
  const cases: { [name: string]: RunConfig } = {
    f32: configOf({ memory_limit: 10e6 }),
    mixed: configOf({ memory_limit: 10e6, precision: 'mixed' }),
    'gradient checkpointing': configOf({ memory_limit: 10e6, gradient_checkpointing: true }),
    'passes of a step': configOf({ memory_limit: 10e6, accumulate: 3 }),
    'a frozen teacher': configOf({ memory_limit: 10e6 }, 'fewstep'),
    RCGM: configOf({ memory_limit: 10e6 }, 'anystep'),
    'DDT, whose layout is another': configOf({ memory_limit: 10e6 }, 'tiny', 'DDT-tiny/7'),
  };
  const found = new Map<string, number>();

  for (const [name, config] of Object.entries(cases))
    it(`is what fits a limit of memory, drawing with it, and 8 more do not: ${name}`, async () => {
      const { batch, bytes, room, drawing, bound } = await findBatch(await testDevice(), config, {
        images: MANY,
        room: unasked,
      });
      found.set(name, batch);
      expect({ rest: batch % 8, room, bound }).toEqual({ rest: 0, room: 10e6, bound: 'memory' });
      expect(bytes).toBeLessThanOrEqual(room);
      const { own, whole } = await trained(config, batch, room);
      expect(own).toBe(bytes - drawing);
      expect(whole).toBe(bytes);
      await expect(trained(config, batch + 8, room)).rejects.toThrow(BufferLimitError);
    });

  it('is larger where a sample takes less', () => {
    for (const name of ['mixed', 'gradient checkpointing', 'passes of a step'])
      expect(found.get(name), name).toBeGreaterThan(found.get('f32') as number);
  });

  it('is less than 8 where 8 do not fit, to the last sample', async () => {
    const config = configOf();
    const { own, whole } = await trained(config, 5);
    const search = { images: MANY, room: unasked };
    const limited = configOf({ memory_limit: whole });
    const five = await findBatch(await testDevice(), limited, search);
    expect(five).toMatchObject({ batch: 5, bytes: whole, drawing: whole - own, bound: 'memory' });
    const four = await findBatch(await testDevice(), configOf({ memory_limit: whole - 16 }), search);
    expect(four).toMatchObject({ batch: 4, bound: 'memory' });
  });

  it('fails as a batch of one does where that does not fit', async () => {
    const config = configOf({ memory_limit: 500_000 });
    const message = /buffer ".*" needs \d+ bytes, .*; the memory limit is 500000\. Fix: /;
    await expect(trained(config, 1, 500_000)).rejects.toThrow(message);
    await expect(findBatch(await testDevice(), config, { images: 64, room: unasked })).rejects.toThrow(message);
  });

  it('is no more than there are images, and than the largest of the reference', async () => {
    const device = await testDevice();
    const room = async () => 1e9;
    expect(await findBatch(device, configOf(), { images: 60, room })).toMatchObject({ batch: 56, bound: 'data' });
    expect(await findBatch(device, configOf(), { images: 5, room })).toMatchObject({ batch: 5, bound: 'data' });
    expect(await findBatch(device, configOf(), { images: MANY, room })).toMatchObject({
      batch: 1024,
      bound: 'largest',
    });
  });

  it('asks for no more room than it has a use for, and goes below what it has tried where there is less', async () => {
    const asked: number[] = [];
    const tight = await trained(configOf(), 16);
    const room = async (useful: number) => {
      asked.push(useful);
      return tight.whole;
    };
    const small = await findBatch(await testDevice(), configOf(), { images: 100, room });
    expect(small).toMatchObject({ batch: 16, bytes: tight.whole, bound: 'memory' });
    const { whole } = await trained(configOf(), 104);
    expect(asked).toHaveLength(1);
    expect((asked[0] as number) / whole).toBeGreaterThan(1.1);
    expect((asked[0] as number) / whole).toBeLessThan(1.4);
  });

  it('keeps its largest tensor within a binding', async () => {
    const device = await openDevice({ limits: 'default' });
    const { limits } = device;
    const maxStorageBufferBindingSize = 2 ** 20;
    const less = new Proxy(limits, {
      get: (_, name) => (name === 'maxStorageBufferBindingSize' ? maxStorageBufferBindingSize : limits[name as never]),
    });
    Object.defineProperty(device, 'limits', { value: less });
    const search = { images: MANY, room: async () => 1e9 };
    const { batch, bound } = await findBatch(device, configOf(), search);
    expect(bound).toBe('binding');
    const largest = async (samples: number) => {
      const workspace = new Workspace(await testDevice());
      const { data } = configOf();
      const trainer = trainerOf(workspace, { ...configOf(), data: { ...data, batch_size: samples } });
      await trainer.train(nextBatch(dataset, 0, 0, samples));
      const bytes = workspace.arena.largest;
      await workspace.dispose();
      return bytes;
    };
    expect(await largest(batch)).toBeLessThanOrEqual(maxStorageBufferBindingSize);
    expect(await largest(batch + 8)).toBeGreaterThan(maxStorageBufferBindingSize);
    device.destroy();
  });
});
