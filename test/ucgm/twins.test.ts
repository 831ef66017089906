import { expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { normal, STREAM } from '../../src/rng/philox.ts';
import { type FlatBuffers, Workspace } from '../../src/tensor/index.ts';
import { OBJECTIVE_DEFAULTS, type ObjectiveOptions } from '../../src/ucgm/options.ts';
import { Trainer, type TrainerOptions } from '../../src/ucgm/trainer.ts';
import { twinKinds } from '../../src/ucgm/twins.ts';
import { testDevice } from '../gpu.ts';
import {
  anyStep,
  type MeanVelocity,
  numericalGradient,
  randn,
  relError,
  sampleLosses,
  twin,
} from '../reference/index.ts';
import { BATCH, byName, CLASSES, inF64, N, SIZES, small } from './two_times_network.ts';

const options = (objective: Partial<ObjectiveOptions>, more: Partial<TrainerOptions> = {}): TrainerOptions => ({
  objective: {
    ...OBJECTIVE_DEFAULTS,
    ...{ method: 'ANYSTEP', step_ratio: [0.1, 0.1], wt_cosine_loss: false, weight_function: null, same_time_ratio: 1 },
    ...objective,
  },
  optimizer: { type: 'AdamW', lr: 1e-3, betas: [0.9, 0.95], weight_decay: 0 },
  emaDecay: 0.9,
  maxGradNorm: null,
  seed: 3,
  ...more,
});
const kindsOf = (twin_ratios: [number, number], first: number, size: number) =>
  twinKinds({ ...OBJECTIVE_DEFAULTS, twin_ratios }, first, size);

it('twins are shares of the whole batch, the same for a part of it, and of both kinds', () => {
  const kinds = kindsOf([0.25, 0.125], 0, 64);
  const count = (kind: string) => kinds.filter((each) => each === kind).length;
  expect([count('learn'), count('sharpen'), count('data')]).toEqual([16, 8, 40]);
  expect([...kindsOf([0.25, 0.125], 0, 24), ...kindsOf([0.25, 0.125], 24, 40)]).toEqual(kinds);
  expect(new Set(kindsOf([0, 0], 0, 9))).toEqual(new Set(['data']));
  expect(new Set(kindsOf([1, 0], 0, 9))).toEqual(new Set(['learn']));
});

const CASES: [name: string, Partial<ObjectiveOptions>][] = [
  ['divided, guided', { loss_power: 0, enhanced_ratio: 0.5, enhanced_range: [0, 1] }],
  ['plain, by a power', { residual: 'plain', loss_power: 0.5, loss_eps: 0.02 }],
  ['clamped', { residual: 'clamped', loss_power: 0, weight_function: 'Cosine' }],
];

it.each(CASES)(
  '%s: loss and gradients of data, of fakes that are learned, and of those that sharpen',
  async (_, more) => {
    const workspace = new Workspace(await testDevice());
    const found: Map<string, Float32Array>[] = [];
    const trainer = new Trainer(workspace, small, BATCH, {
      ...options({ ...more, twin_ratios: [0.4, 0.4], ema_decay_rate: 1, lab_drop_ratio: 0 }),
      onGradients: async (flat: FlatBuffers) => void found.push(await flat.read()),
    });
    const count = SIZES.reduce((sum, { size }) => sum + size, 0);
    const [own, teacher] = [1, 2].map((seed) => Float32Array.from(randn(count, seed), (v) => v / 3)) as [
      Float32Array<ArrayBuffer>,
      Float32Array<ArrayBuffer>,
    ];
    trainer.startFrom(byName(own), byName(teacher));
    const [x, z] = [3, 4].map((seed) => Float32Array.from(randn(BATCH * N, seed))) as [Float32Array, Float32Array];
    const t = [0.15, 0.4, 0.65, 0.85, 0.95];
    const labels = [0, 1, 2, 0, 1];
    await trainer.train({ x, z, t, labels } as never);
    const loss = (await trainer.metrics())[0]?.loss as number;

    const o = options(more).objective;
    const kinds = kindsOf([0.4, 0.4], 0, BATCH);
    expect(new Set(kinds)).toEqual(new Set(['data', 'learn', 'sharpen']));
    const frozen = inF64(teacher);
    const step = (network: MeanVelocity, b: number) => {
      const part = (values: Float32Array) => values.slice(b * N, (b + 1) * N);
      const time = t[b] as number;
      const residual = o.residual ?? 'divided';
      const of = { z: part(z), label: labels[b] as number, t: time, residual, network, frozen };
      const kind = kinds[b] as ReturnType<typeof twinKinds>[number];
      if (kind === 'data')
        return anyStep({ ...of, x: part(x), nullLabel: CLASSES, s: time, a: 1, zeta: o.enhanced_ratio });
      const made = Float64Array.from({ length: N }, (_, i) => normal(3, STREAM.twin, 0, b * N + i));
      return twin({ ...of, kind, made });
    };
    const batch = [0, 1, 2, 3, 4];
    const target = batch.flatMap((b) => [...step(inF64(own), b).target]);
    const losses = (w: ArrayLike<number>) =>
      sampleLosses({
        batch: BATCH,
        channels: 2,
        pixels: N / 2,
        c: o.loss_power ? (o.loss_eps ?? 0.01) : 0,
        cosine: false,
        prediction: batch.flatMap((b) => [...step(inF64(w), b).prediction]),
        target,
        squared: o.loss_power === 0,
        ...(o.loss_power && { power: o.loss_power }),
      }).losses;
    const share = batch.map((b) => {
      const cosine = o.weight_function === 'Cosine' && kinds[b] === 'data';
      return (cosine ? Math.cos(1.57 * (t[b] as number)) : 1) / BATCH;
    });
    const expected = losses(own).reduce((sum, value, b) => sum + value * (share[b] as number), 0);
    expect(Math.abs(loss / expected - 1)).toBeLessThan(2e-5);
    const gradient = byName(numericalGradient(losses, own, share));
    for (const { name } of SIZES)
      expect(relError(found[0]?.get(name) as Float32Array, gradient.get(name) as Float32Array), name).toBeLessThan(
        2e-5,
      );
    await trainer.free();
    await workspace.dispose();
    expect(workspace.ledger.total).toBe(0);
  },
);

it('steps with twins are kept, to the same bits as when each is recorded', async () => {
  const sizes = {
    input_size: 8,
    in_channels: 1,
    num_classes: 3,
    patch_size: 4,
    hidden_size: 16,
    depth: 1,
    num_heads: 2,
  };
  const network = createNetwork('TiT', { ...sizes, two_times: true });
  const x = Float32Array.from(randn(4 * 64, 7));
  const run = async (between: boolean) => {
    const workspace = new Workspace(await testDevice());
    const trainer = new Trainer(
      workspace,
      network,
      4,
      options({ twin_ratios: [0.25, 0.25], ema_decay_rate: 0, same_time_ratio: 0 }),
    );
    const losses: number[] = [];
    for (let step = 0; step < 6; step++) {
      if (between) workspace.free(workspace.create('data', 'of another task', [4]));
      await trainer.train({ x, labels: Uint32Array.of(0, 1, 2, 0) });
      losses.push(...(await trainer.metrics()).map((m) => m.loss));
    }
    const weights = await trainer.weights.flat.values.read();
    await workspace.dispose();
    return { losses, weights };
  };
  const kept = await run(false);
  expect(kept.losses.every((loss) => Number.isFinite(loss) && loss > 0)).toBe(true);
  expect(await run(true)).toEqual(kept);
});

it('shares that are none, and sharpening by what nothing learns, are refused', async () => {
  const workspace = new Workspace(await testDevice());
  const made = (twin_ratios: [number, number]) => () => new Trainer(workspace, small, 4, options({ twin_ratios }));
  expect(made([0.8, 0.3])).toThrow('together at most 1');
  expect(made([-0.1, 0])).toThrow('twin_ratios are [-0.1,0]');
  expect(made([0, 0.2])).toThrow('nothing learns the velocity that sharpens');
  const ucgm = { ...OBJECTIVE_DEFAULTS, twin_ratios: [0.1, 0.1] as const };
  expect(() => new Trainer(workspace, small, 4, { ...options({}), objective: ucgm })).toThrow(
    'UCGM has no twin_ratios',
  );
  await workspace.dispose();
});
