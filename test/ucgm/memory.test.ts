import { describe, expect, it } from 'vitest';
import { Tape } from '../../src/autograd/tape.ts';
import { nextBatch } from '../../src/data/batches.ts';
import { shapesDataset } from '../../src/data/shapes.ts';
import { createNetwork } from '../../src/models/registry.ts';
import { WeightStore } from '../../src/nn/weights.ts';
import { networkOf, resolveModel } from '../../src/run/model.ts';
import { presetNamed } from '../../src/run/presets.ts';
import { mergeConfig, type PartialConfig } from '../../src/run/settings.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { Trainer } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';

/** The tiny preset with changes, on images of the digits' size. */
async function tinyTrainer(changes: PartialConfig, checkpointing = false) {
  const dataset = shapesDataset({ count: 64, size: 28 });
  const config = mergeConfig('test', presetNamed('tiny'), changes);
  const network = networkOf(
    resolveModel(config.model, { ...dataset, channels: dataset.channels, height: 28, width: 28 }),
  );
  const workspace = new Workspace(await testDevice());
  const batch = config.data.batch_size;
  const trainer = new Trainer(workspace, network, batch, {
    objective: config.transport,
    optimizer: config.optimizer,
    emaDecay: config.train.ema_decay,
    maxGradNorm: config.train.max_grad_norm,
    seed: 0,
    checkpointing,
  });
  const train = () => trainer.train(nextBatch(dataset, 0, trainer.step, batch));
  return { workspace, trainer, train };
}

describe('memory of training', () => {
  it('is the same by owner after step 10 and step 100, with a teacher and clipping, and zero after dispose', async () => {
    const { workspace, trainer, train } = await tinyTrainer({
      model: { name: 'tiny', patch_size: 7, hidden_size: 32, depth: 2, num_heads: 2 },
      data: { name: 'shapes', batch_size: 4 },
      transport: { enhanced_ratio: 0.47 },
      train: { max_grad_norm: 1 },
    } as PartialConfig);
    while (trainer.step < 10) await train();
    await trainer.metrics();
    const after10 = workspace.ledger.bytes();
    while (trainer.step < 100) await train();
    await trainer.metrics();
    expect(workspace.ledger.bytes()).toEqual(after10);
    expect(after10.arena).toBeGreaterThan(0);
    await trainer.free();
    await workspace.dispose();
    expect(workspace.ledger.total).toBe(0);
  });

  it('of the tiny preset is under 300 MB', async () => {
    const { workspace, trainer, train } = await tinyTrainer({});
    await train();
    await train();
    await trainer.metrics();
    console.log(`tiny preset: ${(workspace.ledger.total / 1e6).toFixed(1)} MB of buffers`);
    expect(workspace.ledger.total).toBeLessThan(300e6);
    await trainer.free();
    await workspace.dispose();
  });

  for (const name of ['tiny', 'DDT-tiny/4', 'SiT-tiny/4'])
    it(`is less with gradient checkpointing, to the same bits of every weight: ${name}`, async () => {
      const bytes: number[] = [];
      const weights: Map<string, Float32Array>[] = [];
      for (const checkpointing of [false, true]) {
        const changes = {
          model: { name },
          transport: { enhanced_ratio: 0.47 },
          data: { name: 'shapes', batch_size: 8 },
        };
        const { workspace, trainer, train } = await tinyTrainer(changes as PartialConfig, checkpointing);
        for (let i = 0; i < 3; i++) await train();
        weights.push(await trainer.weights.flat.values.read());
        bytes.push(workspace.ledger.bytes().arena as number);
        await trainer.free();
        await workspace.dispose();
      }
      const [whole, less] = bytes as [number, number];
      const mb = bytes.map((b) => (b / 1e6).toFixed(1));
      console.log(`${name}, batch 8: step tensors ${mb[0]} MB, with gradient checkpointing ${mb[1]} MB`);
      expect(less).toBeLessThan(0.6 * whole);
      expect(weights[1]).toEqual(weights[0]);
    });

  it('of a pass without gradients does not grow with depth', async () => {
    const bytes: number[] = [];
    for (const [kind, depth] of [
      ['TiT', 2],
      ['TiT', 6],
      ['DDT', 4],
      ['DDT', 12],
    ] as const) {
      const sizes = { input_size: 8, patch_size: 2, in_channels: 1, num_classes: 2, hidden_size: 16, num_heads: 2 };
      const network = createNetwork(kind, { ...sizes, depth });
      const workspace = new Workspace(await testDevice());
      const weights = new WeightStore(workspace, network).frozen('test');
      const tape = new Tape(workspace, { record: false });
      workspace.beginStep();
      const y = tape.alloc(4);
      workspace.stream.write(y, new Uint32Array(4));
      network.forward(tape, weights, tape.alloc(4, 1, 8, 8), tape.alloc(4), y);
      await workspace.stream.flush();
      bytes.push(workspace.arena.bytes);
      await workspace.dispose();
    }
    expect(bytes[1]).toBe(bytes[0]);
    expect(bytes[3]).toBe(bytes[2]);
  });
});
