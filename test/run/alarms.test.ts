import { expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { normal } from '../../src/rng/philox.ts';
import { collapse, poorTeacher } from '../../src/run/alarms.ts';
import { presetNamed } from '../../src/run/presets.ts';
import { mergeConfig, type PartialConfig } from '../../src/run/settings.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { Trainer } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';

it('a model that draws one image of a class raises the alarm of collapse; one that draws noise does not', async () => {
  const config = mergeConfig('test', presetNamed('tiny'), {
    transport: { lab_drop_ratio: 0 },
    optimizer: { lr: 1e-2 },
    sample: { sampling_steps: 8, cfg_scale: 1 },
  } as PartialConfig);
  const sizes = {
    input_size: 8,
    in_channels: 1,
    num_classes: 2,
    patch_size: 4,
    hidden_size: 32,
    depth: 1,
    num_heads: 2,
  };
  const workspace = new Workspace(await testDevice());
  const trainer = new Trainer(workspace, createNetwork('TiT', sizes), 16, {
    objective: config.transport,
    optimizer: { type: 'AdamW', lr: 1e-2, betas: [0.9, 0.95], weight_decay: 0 },
    emaDecay: 0.9,
    maxGradNorm: null,
    seed: 0,
  });
  const labels = Uint32Array.from({ length: 16 }, (_, i) => i % 2);
  const seen = { x: Float32Array.from({ length: 16 * 64 }, (_, i) => normal(5, 4, 0, i)), labels };
  await trainer.inspect(async () => {});
  const before = workspace.ledger.bytes();
  expect(await poorTeacher(trainer, seen, config, false)).toMatch(/^the start misses \d+% of the velocity/);
  expect(workspace.ledger.bytes()).toEqual(before); // the steps have all that there is
  expect(await collapse(trainer, seen, config)).toBeUndefined(); // untrained: the samples are the noise
  const x = Float32Array.from({ length: 16 * 64 }, (_, i) => Math.sin(i % 64));
  for (let step = 0; step < 200; step++) await trainer.train({ x, labels });
  expect(await collapse(trainer, seen, config)).toMatch(/^collapse at step 200: .* vary \d+% as much as the data/);
  await expect(collapse(trainer, seen, config, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  await trainer.free();
  await workspace.dispose();
});
