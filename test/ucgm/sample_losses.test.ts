import { expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { OBJECTIVE_DEFAULTS, type ObjectiveOptions } from '../../src/ucgm/options.ts';
import { Trainer } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';

const SIZES = { input_size: 6, patch_size: 3, in_channels: 1, num_classes: 3, hidden_size: 16, depth: 1, num_heads: 2 };
const BATCH = 6;
const labels = Uint32Array.from({ length: BATCH }, (_, i) => i % 3);

const OBJECTIVES: [name: string, Partial<ObjectiveOptions>][] = [
  ['multi-step', {}],
  ['consistency', { consistc_ratio: 1 }],
  ['any number of steps', { method: 'RCGM', wt_cosine_loss: false }],
];

it.each(OBJECTIVES)('%s: the mean of the losses of samples is the loss, at the times of the batch', async (_, own) => {
  const workspace = new Workspace(await testDevice());
  const network = createNetwork('TiT', { ...SIZES, ...(own.method && { two_times: true }) } as never);
  const trainer = new Trainer(workspace, network, BATCH, {
    objective: { ...OBJECTIVE_DEFAULTS, weight_function: null, ...own },
    optimizer: { type: 'AdamW', lr: 1e-3, betas: [0.9, 0.95], weight_decay: 0 },
    emaDecay: 0.9,
    maxGradNorm: null,
    seed: 3,
  });
  expect(await trainer.sampleLosses()).toBeUndefined();
  for (let step = 1; step <= 4; step++) {
    const x = Float32Array.from({ length: BATCH * 36 }, (_, i) => Math.sin(i * i + step));
    const t = Float64Array.from({ length: BATCH }, (_, b) => (b + step / 8) / (BATCH + 1));
    await trainer.train({ x, labels, t }); // the same commands: from the third on they are given again
    const measured = await trainer.sampleLosses();
    const [metrics] = await trainer.metrics();
    expect([measured?.step, metrics?.step]).toEqual([step, step]);
    expect(measured?.times).toEqual(Float32Array.from(t));
    const losses = [...(measured?.losses ?? [])];
    expect(new Set(losses).size).toBe(BATCH);
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / BATCH;
    expect(Math.abs(mean / (metrics?.loss ?? 0) - 1)).toBeLessThan(1e-5);
  }
  trainer.restored(2, 2, 0, false);
  expect(await trainer.sampleLosses()).toBeUndefined();
  await trainer.free();
  await workspace.dispose();
});
