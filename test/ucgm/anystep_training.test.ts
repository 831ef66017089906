import { describe, expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import type { VelocityNetwork } from '../../src/nn/index.ts';
import { normal, STREAM, uniform01 } from '../../src/rng/philox.ts';
import { type FlatBuffers, Workspace } from '../../src/tensor/index.ts';
import { OBJECTIVE_DEFAULTS, type ObjectiveOptions } from '../../src/ucgm/options.ts';
import { sample } from '../../src/ucgm/sampler.ts';
import { SAMPLING_DEFAULTS } from '../../src/ucgm/schedule.ts';
import { Trainer, type TrainerOptions } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';
import { anyStep, type MeanVelocity, numericalGradient, randn, relError, sampleLosses } from '../reference/index.ts';
import { BATCH, byName, CLASSES, inF64, N, SIZES, small } from './two_times_network.ts';

const ANYSTEP: ObjectiveOptions = {
  ...OBJECTIVE_DEFAULTS,
  method: 'ANYSTEP',
  step_ratio: [0.1, 0.1],
  wt_cosine_loss: false,
  weight_function: null,
};
const SOFLOW: Partial<ObjectiveOptions> = {
  step_ratio: [0.1, 0.002],
  step_ratio_steps: 6,
  same_time_ratio: 0.75,
  time_logit_normal: [-0.4, 1],
  loss_power: 1,
  ema_decay_rate: 0.99,
};

const options = (objective: Partial<ObjectiveOptions> = {}, more: Partial<TrainerOptions> = {}): TrainerOptions => ({
  objective: { ...ANYSTEP, ...objective },
  optimizer: { type: 'AdamW', lr: 1e-3, betas: [0.9, 0.95], weight_decay: 0 },
  emaDecay: 0.9,
  maxGradNorm: null,
  seed: 3,
  ...more,
});

describe('any-step training against f64', () => {
  const cases: [name: string, Partial<ObjectiveOptions>][] = [
    [
      'alpha-Flow',
      { residual: 'plain', loss_power: 1, loss_eps: 0.05, weight_function: 'Ratio', same_time_ratio: 0.4 },
    ],
    ['SoFlow on images', { residual: 'divided', loss_power: 0.75, loss_eps: 0.001, step_ratio: [0.02, 0.02] }],
    ['UCGM, every two times', { residual: 'clamped', scaled_cbl_eps: 0.5, step_ratio: [0.4, 0.4] }],
    ['squares, guided', { residual: 'plain', loss_power: 0, enhanced_ratio: 0.5, enhanced_range: [0.3, 0.9] }],
    [
      'guided, to the data',
      { enhanced_ratio: 0.4, enhanced_range: [0, 1], end_time: 'zero', weight_function: 'Cosine' },
    ],
  ];

  it.each(cases)('%s: the loss of a step and its gradients', async (_, objective) => {
    const workspace = new Workspace(await testDevice());
    const found: Map<string, Float32Array>[] = [];
    const trainer = new Trainer(workspace, small, BATCH, {
      ...options({ ...objective, ema_decay_rate: 1, lab_drop_ratio: 0.2 }),
      onGradients: async (flat: FlatBuffers) => void found.push(await flat.read()),
    });
    const count = SIZES.reduce((sum, { size }) => sum + size, 0);
    const [own, teacher] = [1, 2].map((seed) => Float32Array.from(randn(count, seed), (v) => v / 3));
    trainer.startFrom(byName(own as Float32Array), byName(teacher as Float32Array));
    const [x, z] = [3, 4].map((seed) => Float32Array.from(randn(BATCH * N, seed)));
    const t = [0.15, 0.4, 0.65, 0.85, 1];
    const labels = [0, 1, 2, 0, 1];
    await trainer.train({ x, z, t, labels } as never);
    const loss = (await trainer.metrics())[0]?.loss as number;

    const o = { ...ANYSTEP, ...objective };
    const a = (o.step_ratio as readonly [number, number])[0];
    const same = o.same_time_ratio ? [2, 4] : [];
    const ends = t.map((time, b) =>
      same.includes(b) ? time : o.end_time === 'zero' ? 0 : time * (1 - uniform01(3, STREAM.time, 0, b)),
    );
    const step = (network: MeanVelocity, b: number) =>
      anyStep({
        x: (x as Float32Array).slice(b * N, (b + 1) * N),
        z: (z as Float32Array).slice(b * N, (b + 1) * N),
        label: b === BATCH - 1 ? CLASSES : (labels[b] as number), // the last of five is dropped
        nullLabel: CLASSES,
        t: t[b] as number,
        s: ends[b] as number,
        a,
        zeta: (t[b] as number) > o.enhanced_range[0] && (t[b] as number) < o.enhanced_range[1] ? o.enhanced_ratio : 0,
        residual: o.residual ?? 'divided',
        network,
        frozen: inF64(teacher as Float32Array),
      });
    const batch = [0, 1, 2, 3, 4];
    const target = batch.flatMap((b) => [...step(inF64(own as Float32Array), b).target]);
    const losses = (w: ArrayLike<number>) =>
      sampleLosses({
        batch: BATCH,
        channels: 2,
        pixels: N / 2,
        c: o.loss_power ? (o.loss_eps ?? 0.01) : o.scaled_cbl_eps,
        cosine: false,
        prediction: batch.flatMap((b) => [...step(inF64(w), b).prediction]),
        target,
        squared: o.loss_power === 0,
        ...(o.loss_power && { power: o.loss_power }),
      }).losses;
    const share = batch.map((b) => {
      const ratio = ends[b] === t[b] ? 1 : a;
      return { Ratio: ratio, Cosine: Math.cos(1.57 * (t[b] as number)), null: 1 }[`${o.weight_function}`] / BATCH;
    });
    const expected = losses(own as Float32Array).reduce((sum, value, b) => sum + value * (share[b] as number), 0);
    expect(Math.abs(loss / expected - 1)).toBeLessThan(2e-5);
    const gradient = byName(numericalGradient(losses, own as Float32Array, share));
    for (const { name } of SIZES)
      expect(relError(found[0]?.get(name) as Float32Array, gradient.get(name) as Float32Array), name).toBeLessThan(
        2e-5,
      );
    await trainer.free();
    await workspace.dispose();
  });
});

const MODEL = { input_size: 8, in_channels: 1, num_classes: 3, patch_size: 4, hidden_size: 16, depth: 2, num_heads: 2 };
const images = Float32Array.from(randn(4 * 64, 7));

/** Losses of steps on the same images, and the weights after them; `before` each step something may come between. */
async function losses(network: VelocityNetwork, o: TrainerOptions, steps: number, before?: (w: Workspace) => void) {
  const workspace = new Workspace(await testDevice());
  const trainer = new Trainer(workspace, network, 4, o);
  const out: number[] = [];
  let bytes = 0;
  for (let step = 0; step < steps; step++) {
    before?.(workspace);
    await trainer.train({ x: images, labels: Uint32Array.of(0, 1, 2, 0) });
    out.push(...(await trainer.metrics()).map((m) => m.loss));
    if (step === 2) bytes = workspace.ledger.total;
  }
  expect(workspace.ledger.total).toBe(bytes);
  const weights = await trainer.weights.flat.values.read();
  await trainer.free();
  await workspace.dispose();
  expect(workspace.ledger.total).toBe(0);
  return { losses: out, weights };
}

/** The network, and at each of its passes a call of `seen`. */
const counting = (network: VelocityNetwork, seen: () => void): VelocityNetwork => ({
  ...network,
  forward: (...given) => {
    seen();
    return network.forward(...given);
  },
});

describe('identities of any-step training', () => {
  const one = createNetwork('TiT', MODEL);
  /** A network of one time that is asked as one of two. */
  const two: VelocityNetwork = {
    ...one,
    twoTimes: true,
    forward: (tape, weights, x, t, y, _span, training) => one.forward(tape, weights, x, t, y, undefined, training),
  };
  const fast = { optimizer: { type: 'AdamW', lr: 1e-2, betas: [0.9, 0.95], weight_decay: 0 } } as const;
  const ucgm = (objective: Partial<ObjectiveOptions>) => ({
    ...options({}, fast),
    objective: { ...OBJECTIVE_DEFAULTS, wt_cosine_loss: false, ...objective },
  });

  it('s = t trains as flow matching does', async () => {
    const theirs = await losses(one, ucgm({}), 8);
    const ours = await losses(two, options({ same_time_ratio: 1, weight_function: 'Cosine' }, fast), 8);
    expect(relError(ours.losses, theirs.losses)).toBeLessThan(1e-5);
  });

  it('s = 0 and a = 1 - lambda, of the online weights, trains as UCGM does', async () => {
    const theirs = await losses(one, ucgm({ consistc_ratio: 0.6, scaled_cbl_eps: 0.5 }), 8);
    const same: Partial<ObjectiveOptions> = {
      ...{ end_time: 'zero', residual: 'clamped', step_ratio: [0.4, 0.4] },
      ...{ ema_decay_rate: 0, scaled_cbl_eps: 0.5, weight_function: 'Cosine' },
    };
    const ours = await losses(two, options(same, fast), 8);
    expect(relError(ours.losses, theirs.losses)).toBeLessThan(1e-5);
  });
});

it('UCGM with a lambda that goes from 0.5 to 1 keeps its steps, and has each lambda in turn', async () => {
  const one = createNetwork('TiT', MODEL);
  let passes = 0;
  const counted = counting(one, () => passes++);
  const annealed = { method: 'UCGM', consistc_ratio: 1, consistc_start: 0.5, consistc_steps: 5 } as const;
  const { step_ratio: _, ...objective } = { ...ANYSTEP, ...annealed, scaled_cbl_eps: 0.5 };
  const kept = await losses(counted, { ...options(), objective }, 8);
  expect(passes).toBe(2 * 2);
  const recorded = await losses(counted, { ...options(), objective }, 8, (workspace) =>
    workspace.free(workspace.create('data', 'of another task', [4])),
  );
  expect(passes).toBe(2 * 2 + 8 * 2);
  expect(recorded).toEqual(kept);
  const { consistc_start: __, consistc_steps: ___, ...constant } = objective;
  const half = await losses(one, { ...options(), objective: { ...constant, consistc_ratio: 0.5 } }, 3);
  expect(half.losses[0]).toBe(kept.losses[0]);
  expect(half.losses[2]).not.toBe(kept.losses[2]);
});

describe('any-step training and sampling', () => {
  it('gives the same bits of steps that are kept and of steps that are recorded, and allocates nothing after the first', async () => {
    const network = createNetwork('TiT', { ...MODEL, two_times: true });
    let passes = 0;
    const counted = counting(network, () => passes++);
    const run = async (before?: (workspace: Workspace) => void) => {
      passes = 0;
      const done = await losses(counted, options({ ...SOFLOW, enhanced_ratio: 0.5 }), 8, before);
      return { ...done, passes };
    };
    const kept = await run();
    const recorded = await run((workspace) => workspace.free(workspace.create('data', 'of another task', [4])));
    expect([kept.passes, recorded.passes]).toEqual([2 * 4, 8 * 4]); // F, F- of label and null, F- at l
    expect(recorded.losses).toEqual(kept.losses);
    expect(recorded.weights).toEqual(kept.weights);
    expect(kept.losses.every((loss) => Number.isFinite(loss) && loss > 0)).toBe(true);
  });

  it('learns a data set of one image, and draws it in 1, 2 and 4 steps', async () => {
    const workspace = new Workspace(await testDevice());
    const network = createNetwork('TiT', { ...MODEL, hidden_size: 32, depth: 1, num_classes: 0, two_times: true });
    const steps = 600;
    const trainer = new Trainer(workspace, network, 8, {
      ...options({ ...SOFLOW, step_ratio_steps: steps, lab_drop_ratio: 0 }),
      optimizer: { type: 'AdamW', lr: 1e-2, betas: [0.9, 0.95], weight_decay: 0 },
    });
    const image = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i));
    const x = Float32Array.from({ length: 8 * 64 }, (_, i) => image[i % 64] as number);
    for (let step = 0; step < steps; step++) await trainer.train({ x, labels: new Uint32Array(8) });
    const noise = Float32Array.from({ length: 4 * 64 }, (_, i) => normal(9, 4, 0, i));
    const errors: number[] = [];
    for (const sampling_steps of [1, 2, 4]) {
      const sampling = { ...SAMPLING_DEFAULTS, sampling_steps, target_time: 'next' as const };
      const request = { noise, labels: new Uint32Array(4) };
      const { samples } = await sample(workspace, network, trainer.average, 'Linear', sampling, request);
      const difference = Math.hypot(...samples.map((value, i) => value - (image[i % 64] as number)));
      errors.push(difference / Math.hypot(...image) / 2); // four images
    }
    console.log(`any-step on one image: relative errors ${errors.map((e) => e.toFixed(3)).join(', ')}`);
    for (const error of errors) expect(error).toBeLessThan(0.6); // noise is 1.7 away
    await trainer.free();
    await workspace.dispose();
  });

  it('names what does not go together', async () => {
    const workspace = new Workspace(await testDevice());
    const made = (change: Partial<ObjectiveOptions>, network = small) => {
      return () => new Trainer(workspace, network, 4, options(change));
    };
    expect(made({}, createNetwork('TiT', MODEL))).toThrow('ANYSTEP needs a network of two times');
    expect(made({ transport_type: 'TrigFlow' })).toThrow('ANYSTEP has no transport_type. Fix: set it to Linear');
    expect(made({ consistc_ratio: 1 })).toThrow('ANYSTEP has no consistc_ratio');
    expect(made({ enhanced_style: 'fc-vs-fe' })).toThrow('ANYSTEP has no enhanced_style');
    expect(made({ order: 2 })).toThrow('ANYSTEP has no order');
    expect(made({ compat: 'reference' })).toThrow('ANYSTEP has no compat');
    expect(made({ wt_cosine_loss: true })).toThrow('ANYSTEP has no wt_cosine_loss');
    await workspace.dispose();
  });
});
