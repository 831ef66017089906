import { expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { BufferLimitError, Workspace } from '../../src/tensor/index.ts';
import { OBJECTIVE_DEFAULTS } from '../../src/ucgm/options.ts';
import { Trainer } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';

const sizes = { input_size: 8, patch_size: 4, in_channels: 1, num_classes: 3, hidden_size: 16, depth: 1, num_heads: 2 };
const batch = {
  x: Float32Array.from({ length: 4 * 64 }, (_, i) => Math.sin(i)),
  labels: Uint32Array.of(0, 1, 2, 0),
};

it('a step that fails leaves no trace: the next ones are those of a run in which it never was', async () => {
  const device = await testDevice();
  for (const ema_decay_rate of [1, 0.9, 0]) {
    const losses: number[][] = [];
    for (const failing of [[], [1, 2, 4]]) {
      let calls = 0;
      const workspace = new Workspace(device);
      const trainer = new Trainer(workspace, createNetwork('TiT', sizes), 4, {
        objective: { ...OBJECTIVE_DEFAULTS, enhanced_ratio: 0.5, ema_decay_rate },
        optimizer: { type: 'AdamW', lr: 1e-2, betas: [0.9, 0.95], weight_decay: 0 },
        emaDecay: 0.9,
        maxGradNorm: 1,
        seed: 3,
        onGradients: () => {
          if (failing.includes(++calls)) throw new Error('the network is down');
        },
      });
      while (trainer.step < 4) await trainer.train(batch).catch((error) => expect(error.message).toContain('is down'));
      expect(calls).toBe(4 + failing.length);
      losses.push((await trainer.metrics()).map((m) => m.loss));
      await trainer.free();
      await workspace.dispose();
    }
    expect(losses[1]).toEqual(losses[0]);
    expect(new Set(losses[0]).size).toBe(4);
  }
});

it('a step for which there was no memory leaves no trace, however much of it was recorded', async () => {
  const device = await testDevice();
  const losses: number[][] = [];
  for (const failing of [false, true]) {
    const workspace = new Workspace(device);
    const trainer = new Trainer(workspace, createNetwork('TiT', { ...sizes, depth: 3 }), 4, {
      objective: OBJECTIVE_DEFAULTS,
      optimizer: { type: 'AdamW', lr: 1e-2, betas: [0.9, 0.95], weight_decay: 0 },
      emaDecay: 0.9,
      maxGradNorm: 1,
      seed: 3,
    });
    await trainer.train(batch);
    if (failing) {
      const check = workspace.ledger.check.bind(workspace.ledger);
      workspace.ledger.create('data', 'asked for, not answered', 4, 0x80); // as a step does that allocates
      workspace.ledger.check = async () => {
        workspace.ledger.check = check;
        throw new BufferLimitError('the device has no memory', 'less');
      };
      await expect(trainer.train(batch)).rejects.toThrow('no memory');
    }
    for (let i = 0; i < 3; i++) await trainer.train(batch);
    losses.push((await trainer.metrics()).map((m) => m.loss));
    await trainer.free();
    await workspace.dispose();
  }
  expect(losses[1]).toEqual(losses[0]);
});
