import { expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { OPTIMIZER_TYPES } from '../../src/optim/optimizer.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { restoreTrainer, trainerState } from '../../src/ucgm/checkpoint.ts';
import { OBJECTIVE_DEFAULTS } from '../../src/ucgm/options.ts';
import { Trainer } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';

const sizes = { input_size: 8, patch_size: 4, in_channels: 1, num_classes: 3, hidden_size: 16, depth: 2, num_heads: 2 };
const network = createNetwork('TiT', sizes);
const batch = { x: Float32Array.from({ length: 256 }, (_, i) => Math.sin(i)), labels: Uint32Array.of(0, 1, 2, 0) };

for (const type of OPTIMIZER_TYPES)
  it(`${type}: goes on from a checkpoint to the same bits, at the rate of its step`, async () => {
    const workspace = new Workspace(await testDevice());
    const rate = { warmup_steps: 3, lr_decay: 'cosine', lr_decay_steps: 7, lr_final: 0.1 } as const;
    const make = () =>
      new Trainer(workspace, network, 4, {
        objective: { ...OBJECTIVE_DEFAULTS, enhanced_ratio: 0.5 },
        optimizer: { type, lr: 1e-2, betas: [0.9, 0.95], weight_decay: 0.1, ...rate },
        emaDecay: 0.9,
        emaDecays: [0.5, 0.99],
        maxGradNorm: 1,
        seed: 3,
      });
    const whole = make();
    for (let i = 0; i < 4; i++) await whole.train(batch);
    const between = await trainerState(whole);
    for (let i = 0; i < 4; i++) await whole.train(batch);
    const resumed = make();
    restoreTrainer(resumed, between);
    for (let i = 0; i < 4; i++) await resumed.train(batch);
    const end = await trainerState(resumed);
    expect(end).toEqual(await trainerState(whole));
    const moved = (at: typeof end) => at.tensors.get('m/blocks.0.attn.qkv.weight')?.data;
    expect(moved(end)).not.toEqual(moved(between));
    await workspace.dispose();
  });

it("random constants that a model came with are a checkpoint's, and go on", async () => {
  const workspace = new Workspace(await testDevice());
  const small = { input_size: 4, in_channels: 1, num_classes: 2, model_channels: 8, channel_mult: [1], num_blocks: 1 };
  const make = () =>
    new Trainer(workspace, createNetwork('EDM2', small), 2, {
      objective: { ...OBJECTIVE_DEFAULTS, enhanced_ratio: 0 },
      optimizer: { type: 'AdamW', lr: 1e-2, betas: [0.9, 0.95], weight_decay: 0 },
      emaDecay: 0.9,
      maxGradNorm: 1,
      seed: 3,
    });
  const [own, name] = [make(), 'emb_fourier.freqs'];
  const freqs = Float32Array.from({ length: 8 }, (_, i) => 1 + i / 8);
  const weights = new Map(await own.weights.flat.values.read());
  own.startFrom(new Map([...weights, [name, freqs]]));
  const state = await trainerState(own);
  expect(state.tensors.get(`constant/${name}`)?.data).toEqual(freqs);
  const [resumed, anew] = [make(), make()];
  restoreTrainer(resumed, state);
  const read = (trainer: Trainer) => workspace.read(trainer.weights.get(name));
  expect(await read(resumed)).toEqual(freqs);
  expect(await read(anew)).not.toEqual(freqs);
  expect(resumed.network.constants.find((constant) => constant.name === name)?.data).toEqual(freqs);
  await workspace.dispose();
});
