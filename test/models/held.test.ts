import { expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import type { InitSpec } from '../../src/nn/network.ts';
import { OPTIMIZER_TYPES } from '../../src/optim/optimizer_options.ts';
import { type FlatBuffers, Workspace } from '../../src/tensor/index.ts';
import { OBJECTIVE_DEFAULTS } from '../../src/ucgm/options.ts';
import { Trainer } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';

/** 42 hidden units, held as 48. */
const SIZES = { input_size: 8, in_channels: 2, num_classes: 3, hidden_size: 16, depth: 2, num_heads: 2, patch_size: 2 };
const BATCH = 5;
const x = Float32Array.from({ length: BATCH * 128 }, (_, i) => Math.sin(2 + i * i));
const labels = Uint32Array.of(0, 1, 2, 0, 1);

/** Elements of a flat buffer that no parameter's own numbers lie at, as they are after some steps. */
async function between(buffers: FlatBuffers): Promise<number[]> {
  const found: number[] = [];
  for (const { held, chunk, offset } of buffers.layout.places) {
    if (!held) continue;
    const size = held.shape.reduce((a, b) => a * b);
    const values = await buffers.readChunk(chunk, offset / 4, size);
    found.push(...values.filter((_, i) => i % held.stride >= held.run));
  }
  return found;
}

async function trained(name: string, type: (typeof OPTIMIZER_TYPES)[number], held: boolean) {
  const workspace = new Workspace(await testDevice());
  const network = createNetwork(name, name === 'DDT' ? { ...SIZES, num_encoder_blocks: 1 } : SIZES);
  const plain: InitSpec[] = network.parameters.map(({ held: _, ...spec }) => spec);
  const trainer = new Trainer(workspace, held ? network : { ...network, parameters: plain }, BATCH, {
    objective: { ...OBJECTIVE_DEFAULTS, ema_decay_rate: 0.9 },
    optimizer: { type, lr: 2e-3, betas: [0.9, 0.95], weight_decay: 0.1 },
    emaDecay: 0.9,
    maxGradNorm: 1,
    seed: 3,
  });
  for (let i = 0; i < 4; i++) await trainer.train({ x, labels });
  const losses = (await trainer.metrics()).flatMap(({ loss, gradNorm }) => [loss, gradNorm]) as number[];
  const weights = await trainer.weights.flat.values.read();
  const { values, gradients } = trainer.weights.flat;
  const groups: FlatBuffers[] = [values, gradients as FlatBuffers, ...[...trainer.groups()].map(([, group]) => group)];
  const zeros = (await Promise.all(groups.map(between))).flat();
  await trainer.free();
  await workspace.dispose();
  return { losses, weights, zeros };
}

it.each(OPTIMIZER_TYPES)(
  '%s trains a TiT whose hidden units are held with units of zeros as one without',
  async (type) => {
    const [held, plain] = [await trained('TiT', type, true), await trained('TiT', type, false)];
    expect(plain.zeros).toEqual([]);
    expect(held.zeros.length).toBeGreaterThan(1000);
    expect(held.zeros.every((value) => value === 0)).toBe(true);
    held.losses.forEach((value, i) => {
      expect(Math.abs(value / (plain.losses[i] as number) - 1), `number ${i} of the log`).toBeLessThan(1e-4);
    });
    expect([...held.weights.keys()]).toEqual([...plain.weights.keys()]);
  },
);

it.each(['TiT', 'DDT'])('%s: its weights become what they would without units of zeros', async (name) => {
  const [held, plain] = [await trained(name, 'AdamW', true), await trained(name, 'AdamW', false)];
  expect(held.zeros.length).toBeGreaterThan(1000);
  for (const [key, values] of plain.weights) {
    const own = held.weights.get(key) as Float32Array;
    expect(own.length, key).toBe(values.length);
    const most = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const off = own.reduce((off, v, i) => Math.max(off, Math.abs(v - (values[i] as number))), 0);
    expect(off, key).toBeLessThan(2e-3 * most + 1e-6);
  }
});
