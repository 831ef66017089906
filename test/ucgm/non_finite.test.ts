import { expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { NonFiniteError } from '../../src/optim/non_finite.ts';
import { OPTIMIZER_TYPES } from '../../src/optim/optimizer.ts';
import { type FlatBuffers, Tensor, Workspace } from '../../src/tensor/index.ts';
import { restoreTrainer, trainerState } from '../../src/ucgm/checkpoint.ts';
import { OBJECTIVE_DEFAULTS } from '../../src/ucgm/options.ts';
import { sample } from '../../src/ucgm/sampler.ts';
import { SAMPLING_DEFAULTS } from '../../src/ucgm/schedule.ts';
import { Trainer } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';

const sizes = { input_size: 8, patch_size: 4, in_channels: 1, num_classes: 3, hidden_size: 16, depth: 1, num_heads: 2 };
const network = createNetwork('TiT', sizes);
const batch = {
  x: Float32Array.from({ length: 4 * 64 }, (_, i) => Math.sin(i)),
  labels: Uint32Array.of(0, 1, 2, 0),
};
const told = (promise: Promise<unknown>) => promise.then(() => undefined).catch((error) => error);

for (const type of OPTIMIZER_TYPES)
  it(`${type}: from the first gradient that is not finite on nothing changes, until the host has seen it`, async () => {
    const workspace = new Workspace(await testDevice());
    let poison = Number.POSITIVE_INFINITY;
    const trainer: Trainer = new Trainer(workspace, network, 4, {
      objective: { ...OBJECTIVE_DEFAULTS, enhanced_ratio: 0.5 },
      optimizer: { type, lr: 1e-2, betas: [0.9, 0.95], weight_decay: 0.1 },
      emaDecay: 0.9,
      maxGradNorm: type === 'Lion' ? null : 1,
      seed: 3,
      onGradients: (gradients: FlatBuffers) => {
        const place = gradients.layout.places[4];
        if (!place || trainer.step !== poison) return;
        workspace.stream.write(new Tensor([1], gradients.slice(place)), new Float32Array([Number.NaN]));
      },
    });
    for (let i = 0; i < 3; i++) await trainer.train(batch);
    const sound = await trainerState(trainer);
    poison = 3;
    for (let i = 0; i < 4; i++) await trainer.train(batch); // a sticky hold: the gradients of the last three are fine
    const error = await told(trainer.metrics());
    expect(error).toBeInstanceOf(NonFiniteError);
    expect(error).toMatchObject({ step: 4, metrics: [{ step: 1 }, { step: 2 }, { step: 3 }] });
    expect(error.message).toContain('step 4 was not taken');
    expect(trainer.step).toBe(3);
    expect(await told(trainer.train(batch))).toBe(error);
    expect(await trainerState(trainer)).toEqual(sound);
    restoreTrainer(trainer, sound);
    poison = Number.POSITIVE_INFINITY;
    await trainer.train(batch);
    expect(await trainer.metrics()).toMatchObject([{ step: 4, nonFinite: 0 }]);
    workspace.dispose();
  });

it('weights that are not finite are named: by the step, by samples, by a checkpoint and by a start', async () => {
  const workspace = new Workspace(await testDevice());
  const make = () =>
    new Trainer(workspace, network, 4, {
      objective: OBJECTIVE_DEFAULTS,
      optimizer: { type: 'AdamW', lr: 1e-2, betas: [0.9, 0.95], weight_decay: 0 },
      emaDecay: 0.9,
      maxGradNorm: null,
      seed: 3,
    });
  const trainer = make();
  const state = await trainerState(trainer);
  const name = 'final_layer.linear.weight';
  const bad = new Float32Array(state.tensors.get(`model/${name}`)?.data.length ?? 0).fill(Number.NaN);
  const broken = new Map([[name, bad]]);
  expect(() => trainer.startFrom(broken)).toThrow(name);
  const key = `model/${name}`;
  const tensors = new Map(state.tensors).set(key, { shape: [bad.length], data: bad });
  expect(() => restoreTrainer(trainer, { ...state, tensors })).toThrow(key);
  for (const set of [trainer.weights, trainer.average]) set.flat.values.write(broken);
  expect(await told(trainerState(trainer))).toMatchObject({ tensor: key });
  const request = { noise: new Float32Array(64).fill(1), labels: [0] };
  const samples = sample(
    workspace,
    network,
    trainer.average,
    'Linear',
    { ...SAMPLING_DEFAULTS, sampling_steps: 2 },
    request,
  );
  expect(await told(samples)).toMatchObject({ name: 'NonFiniteError', tensor: name });
  await trainer.train(batch);
  expect(await told(trainer.metrics())).toMatchObject({ step: 1, tensor: name, metrics: [] });
  expect(trainer.step).toBe(0);
  workspace.dispose();
});
