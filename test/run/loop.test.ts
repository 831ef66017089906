import { describe, expect, it } from 'vitest';
import { datasetBatches } from '../../src/data/batches.ts';
import { shapesDataset } from '../../src/data/shapes.ts';
import { FixableError } from '../../src/kernel/index.ts';
import { resumeTrainer } from '../../src/run/checkpoint.ts';
import { RunError } from '../../src/run/errors.ts';
import { type RunEvents, Subscribers } from '../../src/run/events.ts';
import { type TrainingRun, trainRun } from '../../src/run/loop.ts';
import { MemoryStore } from '../../src/run/memory_store.ts';
import { resolveModel } from '../../src/run/model.ts';
import { samplePictures } from '../../src/run/pictures.ts';
import { trainerOf } from '../../src/run/prepare.ts';
import { presetNamed } from '../../src/run/presets.ts';
import { mergeConfig, type PartialConfig } from '../../src/run/settings.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';

const data = shapesDataset();
const config = mergeConfig('test', presetNamed('tiny'), {
  model: { hidden_size: 16, depth: 1, num_heads: 2 },
  data: { name: 'shapes', batch_size: 4 },
  train: { steps: 6, log_every: 2, checkpoint_every: 3, keep_checkpoints: 1, sample_every: 4 },
  sample: { sampling_steps: 1, cfg_scale: 1 },
} as PartialConfig);
config.model = resolveModel(config.model, data);

type Given = Partial<Omit<TrainingRun, 'trainer' | 'store' | 'events'>> & {
  /** Goes on from the newest checkpoint of the store. */
  readonly resume?: boolean;
  readonly events?: (run: TrainingRun) => RunEvents[];
};

/** Trains the run of a store in a workspace of its own. */
async function trained(store: MemoryStore, { events, resume, ...given }: Given = {}): Promise<void> {
  const workspace = new Workspace(await testDevice());
  const trainer = trainerOf(workspace, config);
  const source = datasetBatches(data, { seed: 0, batchSize: 4 });
  const run: TrainingRun = { trainer, source, config, store, from: 'start', ...given };
  try {
    const subscribed = events?.(run) ?? [];
    if (resume) await resumeTrainer(trainer, store, new Subscribers(subscribed));
    await trainRun({ ...run, events: subscribed });
  } finally {
    await trainer.free();
    await workspace.dispose();
  }
}

/** A subscriber that writes down what it hears. */
function listener(heard: string[]): RunEvents {
  return {
    started: (step) => void heard.push(`started ${step}`),
    measured: ({ step }) => void heard.push(`measured ${step}`),
    saved: (step) => void heard.push(`saved ${step}`),
    stepped: (step) => void heard.push(`stepped ${step}`),
    ended: () => void heard.push('ended'),
    note: (text) => void heard.push(`note: ${text}`),
    warning: (text) => void heard.push(`warning: ${text}`),
  };
}

describe('a training run', () => {
  it('is told step by step, and kept in a place that knows no files', async () => {
    const [store, heard] = [new MemoryStore(), [] as string[]];
    await trained(store, { events: (run) => [listener(heard), samplePictures(run)] });
    expect(heard).toEqual([
      'started 0',
      ...['stepped 1', 'measured 1', 'measured 2', 'stepped 2', 'measured 3', 'saved 3', 'stepped 3'],
      ...['measured 4', 'stepped 4', 'stepped 5', 'measured 5', 'measured 6', 'saved 6', 'stepped 6', 'ended'],
    ]);
    expect(store.kept).toEqual(config);
    expect(store.lines.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(store.lines.every(({ imagesPerSecond, loss }) => (imagesPerSecond as number) > 0 && loss !== null)).toBe(
      true,
    );
    expect([...store.saved.keys()]).toEqual([6]); // keep_checkpoints 1
    expect([...store.pictures.keys()]).toEqual([4]);
    expect(store.pictures.get(4)?.slice(1, 4)).toEqual(new TextEncoder().encode('PNG'));
    expect(store.closed).toBe(1);
  });

  it('that a signal ends saves its state, and gone on with comes to the same bits', async () => {
    const [whole, parts] = [new MemoryStore(), new MemoryStore()];
    await trained(whole);
    const stop = new AbortController();
    const heard: string[] = [];
    await trained(parts, {
      signal: stop.signal,
      events: () => [{ stepped: (step) => void (step === 2 && stop.abort()) }, listener(heard)],
    });
    expect(heard).toEqual(['started 0', 'stepped 1', 'measured 1', 'measured 2', 'ended']);
    expect([...parts.saved.keys()]).toEqual([2]);
    await trained(parts, { resume: true, events: () => [listener(heard)] });
    expect(heard.slice(5, 7)).toEqual(['note: resumed at step 2', 'started 2']);
    expect(parts.saved).toEqual(whole.saved);
    expect(parts.lines.map(({ step, loss }) => [step, loss])).toEqual(
      whole.lines.map(({ step, loss }) => [step, loss]),
    );
  });

  it('goes on where a subscriber fails for a reason that it names, and ends where it is a fault', async () => {
    const [store, heard] = [new MemoryStore(), [] as string[]];
    const failing = (error: Error): RunEvents => ({
      purpose: 'samples',
      stepped: (step) => (step === 2 ? Promise.reject(error) : undefined),
    });
    const full = new FixableError('the disk is full', 'make room');
    await trained(store, { events: () => [failing(full), listener(heard)] });
    expect(heard).toContain('warning: no samples at step 2: the disk is full. Fix: make room');
    expect([...store.saved.keys()]).toEqual([6]);
    const other = new MemoryStore();
    await expect(trained(other, { events: () => [failing(new Error('a fault')), listener(heard)] })).rejects.toThrow(
      'a fault',
    );
    expect(heard.at(-1)).toBe('ended');
    expect(other.closed).toBe(1);
  });

  it('is saved when its data goes away, and refuses a checkpoint that is not finite', async () => {
    const store = new MemoryStore();
    const source = datasetBatches(data, { seed: 0, batchSize: 4 });
    const gone = {
      ...source,
      batch: (step: number) => (step < 2 ? source.batch(step) : Promise.reject(new Error('gone'))),
    };
    await expect(trained(store, { source: gone })).rejects.toThrow('gone');
    expect([...store.saved.keys()]).toEqual([2]);
    const bytes = store.saved.get(2) as Uint8Array;
    bytes.fill(0xff, bytes.length - 64); // the last tensor's numbers
    const refused = trained(store, { resume: true });
    await expect(refused).rejects.toThrow(RunError);
    await expect(refused).rejects.toThrow(
      /^checkpoint 2: .* holds NaN .*Fix: remove this file: the run then starts anew/,
    );
  });

  it('that is gone on with before its first checkpoint begins anew', async () => {
    const [whole, anew, heard] = [new MemoryStore(), new MemoryStore(), [] as string[]];
    await trained(whole);
    await trained(anew, { resume: true, events: () => [listener(heard)] });
    expect(heard[0]).toBe('note: no checkpoint yet: starting from the first step');
    expect(anew.saved).toEqual(whole.saved);
  });
});
