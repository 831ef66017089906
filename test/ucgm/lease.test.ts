import { expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { copyWeights } from '../../src/nn/weights_copy.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { velocityError } from '../../src/ucgm/diagnostics.ts';
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
const STEPS = 12;

async function fresh(more: Partial<TrainerOptions> = {}, on?: Workspace) {
  const workspace = on ?? new Workspace(await testDevice());
  const trainer = new Trainer(workspace, network, 4, {
    objective: { ...OBJECTIVE_DEFAULTS, enhanced_ratio: 0.5 },
    optimizer: { type: 'AdamW', lr: 1e-2, betas: [0.9, 0.95], weight_decay: 0 },
    emaDecay: 0.5,
    maxGradNorm: 1,
    seed: 3,
    ...more,
  });
  return { workspace, trainer };
}

const draw = async (workspace: Workspace, trainer: Trainer) => {
  const options = { ...SAMPLING_DEFAULTS, sampling_steps: 6, cfg_scale: 1.5 };
  return (await sample(workspace, network, trainer.average, 'Linear', options, { noise, labels: [0, 2] })).samples;
};

/** Losses of an undisturbed run, and samples of the average after each of its steps, from 0 on. */
async function undisturbed() {
  const { workspace, trainer } = await fresh();
  const samples = [await draw(workspace, trainer)];
  for (let i = 0; i < STEPS; i++) {
    await trainer.train(batch(i));
    samples.push(await draw(workspace, trainer));
  }
  const losses = (await trainer.metrics()).map((m) => m.loss);
  await workspace.dispose();
  expect(new Set(losses).size).toBe(STEPS);
  return { losses, samples };
}

it('sampling on a lease while a training goes on disturbs nothing, and sees the weights of one step', async () => {
  const { losses, samples } = await undisturbed();
  const { workspace, trainer } = await fresh();
  for (let i = 0; i < 2; i++) await trainer.train(batch(i));
  const before = workspace.ledger.bytes();
  const lease = workspace.lease('sampling');
  expect(workspace.lease('sampling')).toBe(lease);
  const ended: number[] = [];
  const drawings: Promise<void>[] = [];
  for (let i = 2; i < STEPS; i++) {
    const step = trainer.train(batch(i));
    const drawing = draw(lease, trainer).then((drawn) => {
      expect(drawn).toEqual(samples[i + 1]); // of the step that was asked for before it, and none of those after
      ended.push(trainer.step - (i + 1));
    });
    drawings.push(drawing);
    await step;
  }
  await Promise.all(drawings);
  expect(Math.max(...ended)).toBeGreaterThan(1); // steps were done while it sampled
  expect((await trainer.metrics()).map((m) => m.loss)).toEqual(losses);
  expect(workspace.ledger.bytes().arena).toBeGreaterThan(before.arena);
  expect(workspace.ledger.bytes().average).toBe(before.average);
  await lease.dispose();
  expect(workspace.ledger.bytes()).toEqual(before);
  expect(workspace.lease('sampling')).not.toBe(lease);
  await expect(draw(lease, trainer)).rejects.toMatchObject({ name: 'WorkspaceError' });
  await trainer.free();
  await workspace.dispose();
  expect(workspace.ledger.total).toBe(0);
  expect(() => workspace.lease('sampling')).toThrow('disposed');
});

it('a sampling that is asked for within onGradients is of the step before', async () => {
  const { samples } = await undisturbed();
  const drawn: Float32Array[] = [];
  const made = await fresh({
    onGradients: async () => void drawn.push(await draw(made.workspace.lease('sampling'), made.trainer)),
  });
  for (let i = 0; i < 3; i++) await made.trainer.train(batch(i));
  expect(drawn).toEqual(samples.slice(0, 3));
  await made.trainer.free();
  await made.workspace.dispose();
  expect(made.workspace.ledger.total).toBe(0);
});

it('a trainer may have the lease: what is drawn on the workspace itself is the same', async () => {
  const { samples } = await undisturbed();
  const workspace = new Workspace(await testDevice());
  const { trainer } = await fresh({}, workspace.lease('training'));
  expect(await draw(workspace, trainer)).toEqual(samples[0]);
  const steps = [0, 1, 2].map((i) => trainer.train(batch(i)));
  expect(await draw(workspace, trainer)).toEqual(samples[3]);
  await Promise.all(steps);
  await trainer.free();
  await workspace.dispose();
  expect(workspace.ledger.total).toBe(0);
  await expect(trainer.train(batch(0))).rejects.toMatchObject({ name: 'WorkspaceError' });
});

it('what fails on a lease, or ends with it, is no concern of the training', async () => {
  const { losses } = await undisturbed();
  const { workspace, trainer } = await fresh();
  const lease = workspace.lease('sampling');
  for (let i = 0; i < STEPS; i++) {
    const step = trainer.train(batch(i));
    // memory that the device does not have: the sampling is told, the step is not
    const { popErrorScope } = workspace.device;
    workspace.device.popErrorScope = () =>
      popErrorScope.call(workspace.device).then(() => ({ message: 'full' }) as never);
    lease.create('data', 'too large', [4]);
    workspace.device.popErrorScope = popErrorScope;
    await expect(draw(lease, trainer)).rejects.toMatchObject({ name: 'BufferLimitError' });
    await step;
  }
  expect((await trainer.metrics()).map((m) => m.loss)).toEqual(losses);
  const ended = workspace.lease('ended');
  const drawing = draw(ended, trainer).catch((error) => error);
  await new Promise((resolve) => setTimeout(resolve)); // under way, or waiting for its weights
  const errors: unknown[] = [];
  const uncaptured = ({ error }: { error: unknown }) => void errors.push(error);
  workspace.device.addEventListener('uncapturederror', uncaptured as never);
  await ended.dispose();
  expect(await drawing).toMatchObject({ name: 'WorkspaceError' });
  await workspace.device.queue.onSubmittedWorkDone();
  workspace.device.removeEventListener('uncapturederror', uncaptured as never);
  expect(errors).toEqual([]);
  const late = draw(lease, trainer);
  const freed = trainer.free();
  await expect(late).rejects.toMatchObject({ name: 'WorkspaceError', message: expect.stringContaining('freed') });
  await freed;
  await workspace.dispose();
  expect(workspace.ledger.total).toBe(0);
});

it('a copy of weights stays what it is, and names that are no task are refused', async () => {
  const { workspace, trainer } = await fresh();
  const lease = workspace.lease('scoring');
  const data = { x: batch(0).x, labels: batch(0).labels };
  const first = await velocityError(workspace, network, trainer.weights, 'Linear', data, 0);
  const copy = await copyWeights(lease, network, trainer.weights);
  for (let i = 0; i < 3; i++) await trainer.train(batch(i));
  expect(await velocityError(lease, network, copy.weights, 'Linear', data, 0)).toBe(first);
  expect(await velocityError(lease, network, trainer.weights, 'Linear', data, 0)).not.toBe(first);
  const own = await copyWeights(workspace, network, trainer.weights);
  expect(own.weights).toBe(trainer.weights);
  await trainer.free();
  expect(await velocityError(lease, network, copy.weights, 'Linear', data, 0)).toBe(first);
  copy.free();
  for (const name of ['', undefined])
    expect(() => workspace.lease(name as never)).toThrow("Fix: give the task's name: 'sampling'");
  await workspace.dispose();
  expect(workspace.ledger.total).toBe(0);
  await expect(velocityError(lease, network, trainer.weights, 'Linear', data, 0)).rejects.toThrow();
});
