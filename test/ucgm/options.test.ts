import { expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { OBJECTIVE_DEFAULTS } from '../../src/ucgm/options.ts';
import { type SampleControl, sample } from '../../src/ucgm/sampler.ts';
import { SAMPLING_DEFAULTS, type SamplingOptions } from '../../src/ucgm/schedule.ts';
import { Trainer, type TrainerOptions } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';

const sizes = { input_size: 8, patch_size: 4, in_channels: 1, num_classes: 3, hidden_size: 16, depth: 1, num_heads: 2 };
const network = createNetwork('TiT', sizes);
const fine: TrainerOptions = {
  objective: OBJECTIVE_DEFAULTS,
  optimizer: { type: 'AdamW', lr: 1e-2, betas: [0.9, 0.95], weight_decay: 0 },
  emaDecay: 0.9,
  maxGradNorm: null,
  seed: 3,
};

it('options of trainer, objective and sampler that do not exist are refused, with the ones there are', async () => {
  expect(() => new Workspace(undefined as never)).toThrow('give a GPUDevice');
  const workspace = new Workspace(await testDevice());
  const made = (options: unknown) => () => new Trainer(workspace, network, 4, options as TrainerOptions);
  const objective = (change: object) => made({ ...fine, objective: { ...OBJECTIVE_DEFAULTS, ...change } });
  for (const [make, message] of [
    [made(undefined), 'Trainer: the options are missing. Fix: give an object of: objective'],
    [made({}), 'Trainer: objective is missing. Fix: give objective an object'],
    [
      made({ ...fine, ema_decay: 0.9 }),
      'Trainer: has no option ema_decay. Fix: write emaDecay; its options are: objective',
    ],
    [made({ ...fine, emaDecay: Number.NaN }), 'emaDecay is NaN'],
    [made({ ...fine, maxInFlight: 0 }), 'maxInFlight is 0'],
    [made({ ...fine, seed: 1.5 }), 'seed is 1.5'],
    [made({ ...fine, maxGradNorm: -1 }), 'maxGradNorm is -1'],
    [made({ ...fine, onGradients: 3 }), 'onGradients is 3. Fix: give onGradients a function'],
    [objective({ weight_funcion: null }), 'write weight_function'],
    [objective({ weight_function: 'cosine' }), 'give weight_function one of: "Cosine", "Ratio", null'],
    [
      objective({ enhanced_range: [0, Number.POSITIVE_INFINITY] }),
      'enhanced_range is [0, Infinity]. Fix: give enhanced_range an array of 2 finite numbers',
    ],
    [objective({ transport_type: 'toString' }), 'transport_type toString does not exist'],
  ] as const)
    expect(make).toThrow(message);
  const weights = new Trainer(workspace, network, 4, fine).average;
  const request = { noise: new Float32Array(64), labels: [0] };
  const drawn = (options: unknown) =>
    sample(workspace, network, weights, 'Linear', options as SamplingOptions, request);
  await expect(drawn(undefined)).rejects.toThrow('sampling: the options are missing');
  await expect(drawn({ ...SAMPLING_DEFAULTS, cfg: 2 })).rejects.toThrow(
    'sampling: has no option cfg. Fix: its options are: sampling_steps',
  );
  await expect(drawn({ ...SAMPLING_DEFAULTS, cfg_scale: Number.NaN })).rejects.toThrow('cfg_scale is NaN');
  await expect(drawn({ ...SAMPLING_DEFAULTS, sampling_order: 3 })).rejects.toThrow('give sampling_order one of: 1, 2');
  await expect(drawn({ ...SAMPLING_DEFAULTS, stochast_ratio: 'auto' })).rejects.toThrow(
    'stochast_ratio is "auto". Fix: give stochast_ratio a finite number or "Auto"',
  );
  const controlled = (control: unknown) =>
    sample(workspace, network, weights, 'Linear', SAMPLING_DEFAULTS, request, control as SampleControl);
  await expect(controlled({ singal: AbortSignal.abort() })).rejects.toThrow(
    'sample: has no option singal. Fix: write signal',
  );
  await expect(controlled({ signal: new AbortController() })).rejects.toThrow('give signal an AbortSignal');
  const batch = { x: new Float32Array(256), labels: [0, 0, 0, 0] };
  await expect(new Trainer(workspace, network, 4, fine).train(batch, { signal: {} as AbortSignal })).rejects.toThrow(
    'train: signal is an object. Fix: give signal an AbortSignal',
  );
  workspace.dispose();
});
