import { expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { type FlatBuffers, Workspace } from '../../src/tensor/index.ts';
import { OBJECTIVE_DEFAULTS, type ObjectiveOptions } from '../../src/ucgm/options.ts';
import { Trainer } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';

const sizes = { input_size: 6, patch_size: 3, in_channels: 1, num_classes: 3, hidden_size: 16, depth: 1, num_heads: 2 };
const PIXELS = 36;
const BATCH = 8;
const STEPS = 4;

/** Losses and gradients of some steps, the last of which are kept ones, each in so many passes. */
async function train(objective: Partial<ObjectiveOptions>, accumulate?: number) {
  const workspace = new Workspace(await testDevice());
  const network = createNetwork('TiT', { ...sizes, ...(objective.method && { two_times: true }) } as never);
  const gradients: Float32Array[] = [];
  const trainer = new Trainer(workspace, network, BATCH, {
    objective: { ...OBJECTIVE_DEFAULTS, lab_drop_ratio: 0.4, ...objective },
    optimizer: { type: 'AdamW', lr: 1e-9, betas: [0.9, 0.95], weight_decay: 0 }, // what is compared is each step's gradient
    emaDecay: 0.9,
    maxGradNorm: null,
    seed: 3,
    onGradients: async (flat: FlatBuffers) => void gradients.push(await flat.readChunk(0)),
    ...(accumulate !== undefined && { accumulate }),
  });
  for (let i = 0; i < STEPS; i++) {
    const x = Float32Array.from({ length: BATCH * PIXELS }, (_, k) => Math.sin(k * k + i));
    await trainer.train({ x, labels: Uint32Array.from({ length: BATCH }, (_, b) => (b + i) % 3) });
  }
  const losses = (await trainer.metrics()).map((m) => m.loss);
  await trainer.free();
  const left = workspace.ledger.bytes();
  await workspace.dispose();
  return { gradients, losses, left };
}

it.each<[string, Partial<ObjectiveOptions>]>([
  ['enhanced', { enhanced_ratio: 0.5, weight_function: null, wt_cosine_loss: false }],
  ['few-step', { consistc_ratio: 1, enhanced_ratio: 0.5, wt_cosine_loss: false }],
  ['RCGM', { method: 'RCGM', enhanced_ratio: 0.5, weight_function: null, wt_cosine_loss: false }],
])('%s: passes over parts of the batch, of unequal sizes too, give its gradients', async (_, objective) => {
  const whole = await train(objective);
  expect(await train(objective, 1)).toEqual(whole);
  for (const passes of [2, 3, BATCH]) {
    const { gradients, losses, left } = await train(objective, passes);
    gradients.forEach((gradient, step) => {
      const theirs = whole.gradients[step] as Float32Array;
      const size = Math.hypot(...theirs);
      expect(size).toBeGreaterThan(1e-3);
      expect(Math.hypot(...gradient.map((g, k) => g - (theirs[k] as number)))).toBeLessThan(2e-5 * size);
      expect(losses[step]).toBeCloseTo(whole.losses[step] as number, 5);
    });
    expect({ ...left, arena: 0, staging: 0 }).toEqual({ ...whole.left, arena: 0, staging: 0 });
  }
});

it('passes without a sample are refused', async () => {
  await expect(train({}, BATCH + 1)).rejects.toThrow(
    'accumulate is 9 for 8 samples. Fix: give a whole number of passes',
  );
  await expect(train({}, 0.5)).rejects.toThrow('accumulate is 0.5');
});
