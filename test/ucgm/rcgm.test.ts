import { describe, expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import type { VelocityNetwork } from '../../src/nn/network.ts';
import { WeightStore } from '../../src/nn/weights.ts';
import { normal } from '../../src/rng/philox.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { OBJECTIVE_DEFAULTS, type ObjectiveOptions } from '../../src/ucgm/options.ts';
import { recursiveCoefficients } from '../../src/ucgm/rcgm.ts';
import { sample } from '../../src/ucgm/sampler.ts';
import { SAMPLING_DEFAULTS } from '../../src/ucgm/schedule.ts';
import { Trainer, type TrainerOptions } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';

const RCGM: ObjectiveOptions = {
  ...OBJECTIVE_DEFAULTS,
  method: 'RCGM',
  wt_cosine_loss: false,
  weight_function: null,
  ema_decay_rate: 0.99,
  lab_drop_ratio: 0.25,
};
const MODEL = { input_size: 8, in_channels: 1, num_classes: 3, patch_size: 4, hidden_size: 16, depth: 2, num_heads: 2 };

const options = (objective: Partial<ObjectiveOptions> = {}): TrainerOptions => ({
  objective: { ...RCGM, ...objective },
  optimizer: { type: 'AdamW', lr: 1e-3, betas: [0.9, 0.95], weight_decay: 0 },
  emaDecay: 0.9,
  maxGradNorm: null,
  seed: 3,
});

describe('RCGM: the residual', () => {
  // One number: x = 0.7, z = -1.3, so v = z - x is the velocity of the straight path everywhere.
  const [x, z] = [0.7, -1.3];
  const v = z - x;

  /** The residual's clamp argument, with the network's answer `f` and a teacher that answers `teacher(at, time)`. */
  function residual(t: number, tt: number, order: number, f: number, teacher: (at: number, time: number) => number) {
    const { rows, grid } = recursiveCoefficients(RCGM, [t], [tt], order);
    const c = (i: number) => rows[i] as number;
    const xt = c(0) * x + c(1) * z;
    let at = c(6) * xt + c(7) * (c(2) * x + c(3) * z);
    let sum = 0;
    for (const time of grid) {
      const velocity = teacher(at, time[0] as number);
      sum = c(10) * sum + c(11) * velocity;
      at = c(8) * at + c(9) * velocity;
    }
    return { r: c(12) * f + c(13) * sum + c(14) * v, end: at, factor: c(15) };
  }

  for (const order of [1, 2, 5])
    for (const [t, tt] of [
      [0.9, 0.1],
      [0.5, 0.495],
      [0.3, 0.3],
      [1, 0],
    ] as const)
      it(`is 0 for the exact mean velocity, order ${order}, from ${t} to ${tt}, and the roll ends at tt`, () => {
        const { r, end, factor } = residual(t, tt, order, v, () => v);
        expect(r).toBeCloseTo(0, 3);
        expect(end).toBeCloseTo((1 - tt) * x + tt * z, 5);
        expect(factor).toBe(-1);
      });

  it('is 100 (t - tt) F - 100 I - v beyond 0.01, and F - I / (t - tt) - v below', () => {
    // A velocity that depends on where and when it is asked: the roll is then a real integration.
    const teacher = (at: number, time: number) => Math.sin(3 * at) + time;
    const [t, tt, f] = [0.8, 0.2, 0.4];
    const xt = (1 - t) * x + t * z;
    const h = (0.79 - 0.2) / 2;
    const first = teacher(xt - 0.01 * v, 0.79);
    const second = teacher(xt - 0.01 * v - h * first, 0.79 - h);
    expect(residual(t, tt, 2, f, teacher).r).toBeCloseTo(100 * 0.6 * f - 100 * h * (first + second) - v, 3);
    expect(residual(0.5, 0.495, 2, f, teacher).r).toBeCloseTo(f - v, 4); // nothing left to roll: I is 0
  });
});

describe('RCGM: training and sampling', () => {
  it('learns a data set of one image, and draws it in 1, 2 and 4 steps', async () => {
    const workspace = new Workspace(await testDevice());
    const network = createNetwork('TiT', { ...MODEL, hidden_size: 32, depth: 1, num_classes: 0, two_times: true });
    const trainer = new Trainer(workspace, network, 8, {
      ...options({ lab_drop_ratio: 0 }),
      optimizer: { type: 'AdamW', lr: 1e-2, betas: [0.9, 0.95], weight_decay: 0 },
    });
    const image = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i));
    const x = Float32Array.from({ length: 8 * 64 }, (_, i) => image[i % 64] as number);
    for (let step = 0; step < 800; step++) await trainer.train({ x, labels: new Uint32Array(8) });
    const noise = Float32Array.from({ length: 4 * 64 }, (_, i) => normal(9, 4, 0, i));
    const errors: number[] = [];
    for (const [sampling_steps, target_time] of [
      [1, 'end'],
      [1, 'next'],
      [2, 'next'],
      [4, 'next'],
      [4, 'end'],
      [8, 'same'],
    ] as const) {
      const sampling = { ...SAMPLING_DEFAULTS, sampling_steps, target_time };
      const request = { noise, labels: new Uint32Array(4) };
      const { samples, nfe } = await sample(workspace, network, trainer.average, 'Linear', sampling, request);
      expect(nfe).toBe(sampling_steps);
      const difference = Math.hypot(...samples.map((value, i) => value - (image[i % 64] as number)));
      errors.push(difference / Math.hypot(...image) / 2); // four images
    }
    console.log(`RCGM on one image: relative errors ${errors.map((e) => e.toFixed(3)).join(', ')}`);
    // Noise is 1.7 away. The clamp lets a residual move a target by 1 at most, so that few steps go part of the way.
    const most = [0.85, 0.85, 0.85, 0.75, 0.75, 0.4];
    errors.forEach((error, i) => {
      expect(error).toBeLessThan(most[i] as number);
    });
    await trainer.free();
    await workspace.dispose();
  });

  it('draws the same bits twice, guided by a teacher too, and allocates nothing after its first steps', async () => {
    const runs: number[][] = [];
    for (let run = 0; run < 2; run++) {
      const workspace = new Workspace(await testDevice());
      const network = createNetwork('TiT', { ...MODEL, two_times: true });
      const trainer = new Trainer(workspace, network, 4, options({ enhanced_ratio: 0.5, order: 3 }));
      const x = Float32Array.from({ length: 4 * 64 }, (_, i) => normal(1, 4, 0, i));
      const losses: number[] = [];
      let bytes = 0;
      for (let step = 0; step < 6; step++) {
        await trainer.train({ x, labels: Uint32Array.of(0, 1, 2, 0) });
        losses.push(...(await trainer.metrics()).map((m) => m.loss));
        if (step === 2) bytes = workspace.ledger.total;
      }
      expect(workspace.ledger.total).toBe(bytes);
      await trainer.free();
      await workspace.dispose();
      expect(workspace.ledger.total).toBe(0);
      runs.push(losses);
    }
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[0]?.every((loss) => Number.isFinite(loss) && loss > 0)).toBe(true);
  });

  it('names what does not go together', async () => {
    const workspace = new Workspace(await testDevice());
    const two = createNetwork('TiT', { ...MODEL, two_times: true });
    const one = createNetwork('TiT', MODEL);
    const make = (network: VelocityNetwork, objective: Partial<ObjectiveOptions>) => () =>
      new Trainer(workspace, network, 4, options(objective));
    expect(make(one, {})).toThrow('RCGM needs a network of two times');
    expect(make(two, { transport_type: 'TrigFlow' })).toThrow('RCGM has no transport_type');
    expect(make(two, { wt_cosine_loss: true })).toThrow('RCGM has no wt_cosine_loss');
    expect(make(two, { order: 0 })).toThrow('order is 0');
    expect(make(two, { enhanced_style: 'fc-vs-fe' })).toThrow('RCGM has no enhanced_style');
    expect(make(two, { method: 'UCGM' })).toThrow('UCGM has no use for a network of two times');
    expect(() => createNetwork('DDT', { ...MODEL, two_times: true })).toThrow('two_times');
    const weights = new WeightStore(workspace, one).frozen('weights');
    const request = { noise: new Float32Array(64), labels: new Uint32Array(1) };
    const sampling = { ...SAMPLING_DEFAULTS, target_time: 'end' as const };
    await expect(sample(workspace, one, weights, 'Linear', sampling, request)).rejects.toThrow('networks of two times');
    await workspace.dispose();
  });
});
