import { describe, expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import type { VelocityNetwork } from '../../src/nn/network.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { OBJECTIVE_DEFAULTS, type ObjectiveOptions } from '../../src/ucgm/options.ts';
import { Trainer } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';
import { randn } from '../reference/index.ts';

const DATA = { input_size: 8, in_channels: 3, num_classes: 3 };
const SMALL = { model_channels: 8, channel_mult: [1, 2], num_blocks: 1, attn_resolutions: [4], dropout: 0.3 };
const NETWORKS: { [name: string]: () => VelocityNetwork } = {
  EDM2: () => createNetwork('EDM2', { ...DATA, ...SMALL, channels_per_head: 8 }),
  'UNet+': () => createNetwork('UNet+', { ...DATA, ...SMALL, channel_mult_emb: 2 }),
};
const BATCH = 2;

/** Trains some steps with a teacher, and gives the weights, the average, and how often the network was asked. */
async function train(
  network: VelocityNetwork,
  objective: Partial<ObjectiveOptions>,
  o: { seed?: number; checkpointing?: boolean; steps?: number },
) {
  const workspace = new Workspace(await testDevice());
  let asked = 0;
  const counted: VelocityNetwork = {
    ...network,
    forward: (...given) => {
      asked++;
      return network.forward(...given);
    },
  };
  const trainer = new Trainer(workspace, counted, BATCH, {
    objective: { ...OBJECTIVE_DEFAULTS, transport_type: 'EDM', ...objective },
    optimizer: { type: 'AdamW', lr: 0.01, betas: [0.9, 0.95], weight_decay: 0 },
    emaDecay: 0.9,
    maxGradNorm: null,
    seed: o.seed ?? 1,
    checkpointing: o.checkpointing ?? false,
  });
  const x = Float32Array.from(randn(BATCH * 3 * 64, 4));
  const perStep: number[] = [];
  for (let step = 0; step < (o.steps ?? 6); step++) {
    const before = asked;
    await trainer.train({ x, labels: Uint32Array.from([step % 3, 1]) });
    perStep.push(asked - before);
  }
  const metrics = await trainer.metrics();
  const values = await trainer.weights.flat.values.read();
  const average = await trainer.average.flat.values.read();
  await trainer.free();
  await workspace.dispose();
  return { metrics, perStep, values, average };
}

describe.each(Object.entries(NETWORKS))('%s in training', (_, make) => {
  const few = { consistc_ratio: 0.5, enhanced_ratio: 1.2, ema_decay_rate: 0.99, lab_drop_ratio: 0.5 };

  it('with labels, lambda, zeta and dropout: steps are kept, and drop something else each time', async () => {
    const { perStep, metrics, values } = await train(make(), few, {});
    expect(perStep.slice(3)).toEqual([0, 0, 0]); // recorded until two steps were alike, then given again
    expect(metrics.every(({ loss }) => Number.isFinite(loss))).toBe(true);
    for (const [name, numbers] of values) expect(numbers.every(Number.isFinite), name).toBe(true);
    const again = await train(make(), few, {});
    expect(again.values).toEqual(values);
    const other = await train({ ...make(), drops: false }, few, {}); // its key stays what it was at first
    expect(other.values).not.toEqual(values);
  });

  it('keeps its bits with gradient checkpointing', async () => {
    const plain = await train(make(), few, { steps: 2 });
    const checkpointed = await train(make(), few, { steps: 2, checkpointing: true });
    expect(checkpointed.values).toEqual(plain.values);
  });
});

it('EDM2 steps from forced weights, and averages and keeps what the optimiser leaves', async () => {
  const { values, average } = await train((NETWORKS.EDM2 as () => VelocityNetwork)(), {}, { steps: 3 });
  const rms = (numbers: Float32Array, rows: number) => {
    const cols = numbers.length / rows;
    return Array.from({ length: rows }, (_, r) =>
      Math.sqrt(numbers.subarray(r * cols, (r + 1) * cols).reduce((sum, v) => sum + v * v, 0) / cols),
    );
  };
  // A step of AdamW moves numbers by about its learning rate from rows of root mean square 1, and not back to them; the first does not:
  // out_gain is 0.
  const name = 'dec.4x4_block0.conv_res1.weight';
  const after = rms(values.get(name) as Float32Array, 16);
  for (const size of after) expect(Math.abs(size - 1)).toBeLessThan(0.03);
  expect(after.some((size) => Math.abs(size - 1) > 2e-4)).toBe(true);
  // The average began as the raw weights, whose rows are of any size.
  expect(rms(average.get(name) as Float32Array, 16).some((size) => Math.abs(size - 1) > 0.02)).toBe(true);
});
