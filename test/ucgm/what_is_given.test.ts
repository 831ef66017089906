import { expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { trainerState } from '../../src/ucgm/checkpoint.ts';
import { OBJECTIVE_DEFAULTS } from '../../src/ucgm/options.ts';
import { sample } from '../../src/ucgm/sampler.ts';
import { SAMPLING_DEFAULTS } from '../../src/ucgm/schedule.ts';
import { Trainer } from '../../src/ucgm/trainer.ts';
import { openDevice, testDevice } from '../gpu.ts';

const sizes = { input_size: 8, patch_size: 4, in_channels: 1, num_classes: 3, hidden_size: 16, depth: 1, num_heads: 2 };
const network = createNetwork('TiT', sizes);
const x = Float32Array.from({ length: 256 }, (_, i) => Math.sin(i));
const labels = Uint32Array.of(0, 1, 2, 0);
const make = (device: GPUDevice) =>
  new Trainer(new Workspace(device), network, 4, {
    objective: OBJECTIVE_DEFAULTS,
    optimizer: { type: 'AdamW', lr: 1e-2, betas: [0.9, 0.95], weight_decay: 0 },
    emaDecay: 0.9,
    maxGradNorm: null,
    seed: 3,
  });

it('batches of other array types are the same numbers, or refused by the type that is taken', async () => {
  const losses: number[] = [];
  const z = Float32Array.from({ length: 256 }, (_, i) => Math.cos(i));
  const t = Float32Array.of(0.25, 0.5, 0.75, 1);
  for (const batch of [
    { x, labels, z, t },
    { x: Float64Array.from(x), labels: [...labels], z: [...z], t: [...t] },
    { x: [...x], labels: Int32Array.from(labels), z: Float64Array.from(z), t: Float64Array.from(t) },
    { x, labels: Float64Array.from(labels), z, t },
  ]) {
    const trainer = make(await testDevice());
    await trainer.train(batch);
    losses.push((await trainer.metrics())[0]?.loss as number);
    trainer.workspace.dispose();
  }
  expect(losses).toEqual(losses.map(() => losses[0]));

  const trainer = make(await testDevice());
  const nan = x.slice();
  nan[7] = Number.NaN;
  const wrong: [unknown, string][] = [
    [{ x: Uint8Array.from(x), labels }, 'Uint8Array is no array of real numbers'],
    [{ x: [...x].map(String), labels }, 'give a Float32Array'],
    [{ x: nan, labels }, 'number 7 is NaN'],
    [{ x, labels, z: nan }, 'z: number 7 is NaN'],
    [{ x, labels: Int32Array.of(0, -1, 0, 1) }, 'number 1 is -1'],
    [{ x, labels: [0, 0.5, 0, 1] }, 'number 1 is 0.5'],
    [{ x, labels: [0, 1, 2, 4] }, 'label 4 is not below'],
    [{ x, labels, t: [0, 0, 0, 2] }, 'times'],
    [{}, 'no x'],
    [undefined, 'no x'],
  ];
  for (const [batch, message] of wrong)
    expect(await trainer.train(batch as never).catch((error) => error)).toMatchObject({
      name: 'OptionError',
      message: expect.stringContaining(message),
      fix: expect.any(String),
    });
  expect(trainer.step).toBe(0);
  trainer.workspace.dispose();
});

it('weights of another device, or none at all, are refused before anything runs', async () => {
  const here = make(await testDevice());
  const device = await openDevice({ limits: 'default' });
  const there = make(device);
  const request = { noise: x.slice(0, 64), labels: [1] };
  const draw = (weights: unknown, of: unknown = network) =>
    sample(here.workspace, of as never, weights as never, 'Linear', SAMPLING_DEFAULTS, request);
  for (const weights of [there.weights, there.average, { get: (name: string) => there.average.get(name) }])
    expect(await draw(weights).catch((error) => error)).toMatchObject({
      name: 'TensorError',
      message: expect.stringContaining('x_embedder.proj.weight are on another device than the workspace'),
      fix: expect.stringContaining('trainer.workspace'),
    });
  for (const [weights, message] of [
    [there, 'the weights are a Trainer'],
    [undefined, 'the weights are undefined'],
  ] as const)
    expect(await draw(weights).catch((error) => error)).toMatchObject({
      name: 'TensorError',
      message: expect.stringContaining(message),
      fix: expect.stringContaining("a trainer's weights or average"),
    });
  await expect(draw(here.average, 'TiT')).rejects.toThrow('give what createNetwork made');
  // another workspace of the same device may be sampled in
  const beside = new Workspace(await testDevice());
  const fewer = { ...SAMPLING_DEFAULTS, sampling_steps: 1 };
  await expect(sample(beside, network, here.average, 'Linear', fewer, request)).resolves.toMatchObject({ nfe: 1 });
  for (const workspace of [here.workspace, there.workspace, beside]) await workspace.dispose();
  device.destroy();
});

it('on a lost device everything says so, and the step stays', async () => {
  const device = await openDevice({ limits: 'default' });
  const trainer = make(device);
  const { workspace } = trainer;
  await trainer.train({ x, labels });
  device.destroy();
  const request = { noise: x.slice(0, 64), labels: [1] };
  for (const work of [
    () => trainer.train({ x, labels }),
    () => trainer.metrics(),
    () => trainerState(trainer),
    () => workspace.task(async () => trainer.weights.flat.values.read()),
    () => sample(workspace, network, trainer.average, 'Linear', SAMPLING_DEFAULTS, request),
  ])
    expect(await work().catch((error) => error)).toMatchObject({
      name: 'DeviceLostError',
      reason: 'destroyed',
      message: expect.stringContaining('lost'),
      fix: expect.stringContaining('restore the last checkpoint'),
    });
  expect(trainer.step).toBe(1);
});
