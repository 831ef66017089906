import { expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { OBJECTIVE_DEFAULTS } from '../../src/ucgm/options.ts';
import { sample } from '../../src/ucgm/sampler.ts';
import { SAMPLING_DEFAULTS } from '../../src/ucgm/schedule.ts';
import { Trainer, type TrainerOptions } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';

const sizes = { input_size: 8, patch_size: 4, in_channels: 1, num_classes: 3, hidden_size: 16, depth: 1, num_heads: 2 };
const network = createNetwork('TiT', sizes);
const batch = (shift: number) => ({
  x: Float32Array.from({ length: 4 * 64 }, (_, i) => Math.sin(i + shift)),
  labels: Uint32Array.of(0, 1, 2, 0),
});
const noise = Float32Array.from({ length: 128 }, (_, i) => Math.cos(3 * i));
const options: TrainerOptions = {
  objective: { ...OBJECTIVE_DEFAULTS, enhanced_ratio: 0.5 },
  optimizer: { type: 'AdamW', lr: 1e-2, betas: [0.9, 0.95], weight_decay: 0 },
  emaDecay: 0.9,
  maxGradNorm: 1,
  seed: 3,
};

async function fresh(more: Partial<TrainerOptions> = {}) {
  const workspace = new Workspace(await testDevice());
  return { workspace, trainer: new Trainer(workspace, network, 4, { ...options, ...more }) };
}

const draw = async ({ workspace, trainer }: Awaited<ReturnType<typeof fresh>>, signal?: AbortSignal) =>
  (
    await sample(
      workspace,
      network,
      trainer.average,
      'Linear',
      { ...SAMPLING_DEFAULTS, sampling_steps: 4 },
      { noise, labels: [0, 2] },
      signal ? { signal } : {},
    )
  ).samples;

it('steps and samplings that are not awaited are those of steps and samplings that are, whatever becomes of their arrays', async () => {
  const awaited = await fresh();
  for (let i = 0; i < 2; i++) await awaited.trainer.train(batch(i));
  const samples = await draw(awaited);
  for (let i = 2; i < 4; i++) await awaited.trainer.train(batch(i));
  const losses = (await awaited.trainer.metrics()).map((m) => m.loss);
  expect(new Set(losses).size).toBe(4);

  const other = await fresh();
  const given = [0, 1, 2, 3].map(batch);
  const asked: Promise<unknown>[] = [];
  const refused = other.trainer.train({ ...batch(0), x: new Float32Array(3) });
  asked.push(...given.slice(0, 2).map((b) => other.trainer.train(b)));
  const drawn = draw(other);
  asked.push(...given.slice(2).map((b) => other.trainer.train(b)));
  for (const { x } of given) x.fill(0);
  const metrics = other.trainer.metrics();
  await expect(refused).rejects.toThrow('does not fit');
  expect(await drawn).toEqual(samples);
  expect((await metrics).map((m) => m.loss)).toEqual(losses);
  await Promise.all(asked);
  for (const { trainer, workspace } of [awaited, other]) {
    trainer.free();
    await expect(trainer.train(batch(0))).rejects.toMatchObject({ name: 'WorkspaceError', fix: 'make a new one' });
    await expect(draw({ trainer, workspace })).rejects.toMatchObject({ name: 'WorkspaceError' });
    await workspace.dispose();
    await expect(trainer.metrics()).rejects.toThrow('disposed');
  }
});

it('work that would wait for itself is refused', async () => {
  const told: unknown[] = [];
  const made = await fresh({
    onGradients: async () => {
      await made.trainer.metrics().catch((error) => told.push(error));
    },
  });
  await made.trainer.train(batch(0));
  expect(told).toMatchObject([{ name: 'WorkspaceError' }]);
  made.workspace.dispose();
});

it('an aborted step or sampling leaves no trace', async () => {
  const losses: number[][] = [];
  for (const aborting of [false, true]) {
    let controller = new AbortController();
    const made = await fresh({
      onGradients: () => (aborting && made.trainer.step === 1 ? controller.abort() : undefined),
    });
    const { trainer, workspace } = made;
    await trainer.train(batch(0));
    if (aborting) {
      await expect(trainer.train(batch(1), { signal: controller.signal })).rejects.toMatchObject({
        name: 'AbortError',
      });
      await expect(draw(made, controller.signal)).rejects.toMatchObject({ name: 'AbortError' });
      expect(trainer.step).toBe(1);
      controller = new AbortController();
    }
    for (let i = 1; i < 4; i++) await trainer.train(batch(i));
    losses.push((await trainer.metrics()).map((m) => m.loss));
    await workspace.dispose();
  }
  expect(losses[1]).toEqual(losses[0]);
});

it('no more than maxInFlight steps are on the device', async () => {
  const { trainer, workspace } = await fresh({ maxInFlight: 2 });
  const { queue } = workspace.device;
  const waits: (() => void)[] = [];
  const real = queue.onSubmittedWorkDone;
  queue.onSubmittedWorkDone = () => new Promise((resolve) => waits.push(() => resolve(undefined)));
  try {
    const all = [0, 1, 2].map((i) => trainer.train(batch(i)));
    await Promise.all(all.slice(0, 2));
    const controller = new AbortController();
    const fourth = trainer.train(batch(3), { signal: controller.signal });
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setTimeout(resolve));
    expect(trainer.step).toBe(2);
    waits[0]?.();
    await all[2];
    expect(trainer.step).toBe(3);
    controller.abort();
    queue.onSubmittedWorkDone = real; // what was abandoned gives its memory back, and waits for the device with it
    for (const done of waits) done();
    await expect(fourth).rejects.toMatchObject({ name: 'AbortError' });
    expect(trainer.step).toBe(3);
  } finally {
    queue.onSubmittedWorkDone = real;
    await workspace.dispose();
  }
});
