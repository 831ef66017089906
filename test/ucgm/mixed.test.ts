import { describe, expect, it } from 'vitest';
import type { Tape } from '../../src/autograd/tape.ts';
import { PORTABLE } from '../../src/kernel/index.ts';
import { createNetwork } from '../../src/models/registry.ts';
import type { VelocityNetwork } from '../../src/nn/network.ts';
import { precisionNotice } from '../../src/nn/precision_notice.ts';
import type { OptimizerOptions } from '../../src/optim/optimizer.ts';
import { checkPrecision, type Tensor, Workspace } from '../../src/tensor/index.ts';
import { restoreTrainer, trainerState } from '../../src/ucgm/checkpoint.ts';
import { OBJECTIVE_DEFAULTS } from '../../src/ucgm/options.ts';
import { Trainer, type TrainerOptions } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';

const sizes = { input_size: 8, patch_size: 4, in_channels: 1, num_classes: 3, hidden_size: 16, depth: 2, num_heads: 2 };
const tit = createNetwork('TiT', sizes);
const BATCH = 8;
/** Images of three kinds, another choice of them in each step. */
const batch = (step: number) => {
  const labels = Uint32Array.from({ length: BATCH }, (_, i) => (i * 7 + step) % 3);
  const x = Float32Array.from({ length: BATCH * 64 }, (_, i) => {
    const [image, at] = [Math.floor(i / 64), i % 64];
    return Math.sin((1 + (labels[image] as number)) * at * 0.3 + step * 0.1);
  });
  return { x, labels };
};
const AdamW: OptimizerOptions = { type: 'AdamW', lr: 1e-2, betas: [0.9, 0.95], weight_decay: 0.1 };

const options = (more: Partial<TrainerOptions> = {}): TrainerOptions => ({
  objective: { ...OBJECTIVE_DEFAULTS, enhanced_ratio: 0.5, ema_decay_rate: 0.9 },
  optimizer: AdamW,
  emaDecay: 0.9,
  maxGradNorm: 1,
  seed: 3,
  precision: 'mixed',
  ...more,
});

async function fresh(more: Partial<TrainerOptions> = {}, network: VelocityNetwork = tit) {
  const workspace = new Workspace(await testDevice());
  return { workspace, trainer: new Trainer(workspace, network, BATCH, options(more)) };
}

async function steps(trainer: Trainer, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await trainer.train(batch(trainer.step));
}

/** Makes the next step overflow: no number of f16 is as large. */
function overflow(trainer: Trainer): void {
  const state = trainer.learner.lossScale?.state;
  if (!state) throw new Error('the trainer has no loss scale');
  trainer.workspace.stream.write(state, new Float32Array([2 ** 40]));
}

/** All that a step changes, but for the loss scale and the number of the step. */
async function lasting(trainer: Trainer) {
  const { tensors, metadata } = await trainerState(trainer);
  tensors.delete('optimizer/loss_scale');
  return { tensors, metadata: { ...metadata, step: '' } };
}

describe('precision mixed', () => {
  it('learns as f32 does: 200 steps, their losses nearer to those of f32 than another seed', async () => {
    const losses = async (more: Partial<TrainerOptions>) => {
      const { workspace, trainer } = await fresh(more);
      const all: number[] = [];
      for (let i = 0; i < 2; i++) {
        await steps(trainer, 100);
        all.push(...(await trainer.metrics()).map((m) => m.loss));
      }
      await workspace.dispose();
      return all;
    };
    const late = (all: number[]) => all.slice(-50).reduce((a, b) => a + b, 0) / 50;
    const mixed = await losses({});
    const [same, ...others] = await Promise.all([3, 4, 5].map((seed) => losses({ precision: 'f32', seed })));
    const ends = [same as number[], ...others].map(late);
    const spread = Math.max(...ends) - Math.min(...ends);
    console.log(`late losses: mixed ${late(mixed)}, f32 ${ends}`);
    expect(late(mixed)).toBeLessThan(0.8 * (mixed[0] as number));
    expect(Math.abs(late(mixed) - (ends[0] as number))).toBeLessThan(spread);
    expect(mixed).not.toEqual(same);
  });

  for (const type of ['AdamW', 'Lion', 'Muon', 'DAdamW', 'CAdamW'] as const)
    it(`${type}: a step that overflows changes nothing and is counted, and the next ones go on`, async () => {
      const { workspace, trainer } = await fresh({ optimizer: { ...AdamW, type } });
      await steps(trainer, 2);
      const before = await lasting(trainer);
      overflow(trainer);
      await steps(trainer, 1);
      expect(await lasting(trainer)).toEqual(before);
      expect(trainer.step).toBe(3);
      workspace.stream.write(trainer.learner.lossScale?.state as Tensor, new Float32Array([1024]));
      await steps(trainer, 2);
      const metrics = await trainer.metrics();
      expect(metrics.map((m) => [m.skipped, m.lossScale])).toEqual([
        [0, 2 ** 16],
        [0, 2 ** 16],
        [1, 2 ** 39],
        [1, 1024],
        [1, 1024],
      ]);
      expect(metrics[2]?.nonFinite).toBeGreaterThan(0);
      expect(metrics.every((m) => Number.isFinite(m.loss))).toBe(true);
      expect(trainer.optimizer.step).toBe(4);
      expect(await lasting(trainer)).not.toEqual(before);
      await workspace.dispose();
    });

  it('a step that overflows on the way leaves the run as it would be without it', async () => {
    const run = async (skips: boolean) => {
      const { workspace, trainer } = await fresh();
      for (const step of [0, 1, 2]) {
        if (step === 1 && skips) {
          overflow(trainer);
          await trainer.train(batch(77));
          workspace.stream.write(trainer.learner.lossScale?.state as Tensor, new Float32Array([2 ** 16]));
        }
        // Noise and times follow from a step's number: both runs are given the same.
        const z = Float32Array.from({ length: BATCH * 64 }, (_, i) => Math.cos(i * i + step));
        const t = Float64Array.from({ length: BATCH }, (_, i) => (i + 0.5) / BATCH);
        await trainer.train({ ...batch(step), z, t });
      }
      const end = await lasting(trainer);
      await workspace.dispose();
      return end;
    };
    expect(await run(true)).toEqual(await run(false));
  });

  it('goes on from a checkpoint to the same bits, its loss scale and the steps skipped with it', async () => {
    const { workspace, trainer: whole } = await fresh();
    await steps(whole, 2);
    overflow(whole);
    await steps(whole, 2);
    const between = await trainerState(whole);
    expect([...(between.tensors.get('optimizer/loss_scale')?.data ?? [])]).toEqual([2 ** 38, 1, 2, 0]);
    expect(between.metadata.optimizer_step).toBe('2');
    expect([...between.tensors.values()].every(({ data }) => data instanceof Float32Array)).toBe(true);
    await steps(whole, 30);
    const resumed = new Trainer(workspace, tit, BATCH, options());
    restoreTrainer(resumed, between);
    await steps(resumed, 30);
    const end = await trainerState(resumed);
    expect(end).toEqual(await trainerState(whole));
    expect((await whole.metrics()).at(-1)?.lossScale).toBeLessThan(2 ** 30);
    await workspace.dispose();
  });

  it('goes on where a checkpoint is restored while a step is on the device', async () => {
    const { workspace, trainer } = await fresh();
    await steps(trainer, 2);
    const state = await trainerState(trainer);
    await steps(trainer, 1);
    const [third] = (await trainer.metrics()).slice(-1);
    await steps(trainer, 1);
    restoreTrainer(trainer, state);
    await steps(trainer, 1);
    expect((await trainer.metrics()).map(({ step, loss }) => ({ step, loss }))).toEqual([
      { step: 3, loss: third?.loss },
    ]);
    expect(trainer.optimizer.step).toBe(3);
    await workspace.dispose();
  });

  it('what the host writes in a steady step goes in its commands, after the look at the step before too', async () => {
    const { workspace, trainer } = await fresh();
    await steps(trainer, 4);
    const { queue } = workspace.device;
    const calls = { writes: 0, submits: 0 };
    const count = (name: keyof typeof calls, method: 'writeBuffer' | 'submit') => {
      const call = queue[method].bind(queue) as (...args: unknown[]) => void;
      const value = (...args: unknown[]) => {
        calls[name]++;
        call(...args);
      };
      Object.defineProperty(queue, method, { configurable: true, value });
    };
    count('writes', 'writeBuffer');
    count('submits', 'submit');
    await steps(trainer, 1);
    for (const method of ['writeBuffer', 'submit']) Reflect.deleteProperty(queue, method);
    expect(calls).toEqual({ writes: 0, submits: 2 }); // the passes; what comes of them
    await workspace.dispose();
  });

  it('a steady step is given again, and gives the bits of one that is recorded each time', async () => {
    let passes = 0;
    const counted: VelocityNetwork = {
      ...tit,
      forward: (...given) => {
        passes++;
        return tit.forward(...given);
      },
    };
    const kept = await fresh({}, counted);
    const recorded = await fresh();
    await steps(kept.trainer, 6);
    for (let i = 0; i < 6; i++) {
      await steps(recorded.trainer, 1);
      recorded.workspace.free(recorded.workspace.create('data', 'gone', [1])); // a buffer that goes: nothing that is kept holds
    }
    expect(passes).toBe(3 * 2); // three recordings, of the network and of its teacher
    expect(await trainerState(kept.trainer)).toEqual(await trainerState(recorded.trainer));
    for (const { workspace } of [kept, recorded]) await workspace.dispose();
  });

  it('gradient checkpointing gives the same bits', async () => {
    const [plain, checkpointed] = [await fresh(), await fresh({ checkpointing: true })];
    for (const { trainer } of [plain, checkpointed]) await steps(trainer, 3);
    expect(await trainerState(checkpointed.trainer)).toEqual(await trainerState(plain.trainer));
    for (const { workspace } of [plain, checkpointed]) await workspace.dispose();
  });

  it('passes that are subtracted from each other are those of f32', async () => {
    const precisions: string[] = [];
    const told: VelocityNetwork = {
      ...tit,
      forward: (tape: Tape, ...given) => {
        precisions.push(tape.precision);
        return tit.forward(tape, ...given);
      },
    };
    const objective = { ...OBJECTIVE_DEFAULTS, consistc_ratio: 0.9 };
    const { workspace, trainer } = await fresh({ objective }, told);
    await steps(trainer, 1);
    expect(precisions).toEqual(['mixed', 'f32', 'f32']);
    await workspace.dispose();
  });

  it('is refused by name where the device or the network has none', async () => {
    const f16 = { ...PORTABLE, f16: true };
    expect(() => checkPrecision('mixed', PORTABLE, { halves: true })).toThrow('the device has no shader-f16');
    expect(() => checkPrecision('mixed', f16, {})).toThrow('this network has no form in f16');
    expect(() => checkPrecision('f32x3', PORTABLE, {})).not.toThrow();
    expect(precisionNotice('mixed', f16, { halves: true })).toContain('not time');
    expect(precisionNotice('mixed', f16, { halves: 'products' })).toContain('neither time nor memory');
    expect(precisionNotice('f32x3', f16, {})).toContain('those of f32');
    expect(precisionNotice('f32', PORTABLE, {})).toBeUndefined();
    const workspace = new Workspace(await testDevice());
    const { halves: _, ...without } = tit;
    expect(() => new Trainer(workspace, without, BATCH, options())).toThrow('this network has no form in f16');
    await workspace.dispose();
  });
});
