import { describe, expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { activate, add, embedding, linear, type VelocityNetwork } from '../../src/nn/index.ts';
import { type NetworkWeights, WeightStore } from '../../src/nn/weights.ts';
import { normal, STREAM, uniform01 } from '../../src/rng/philox.ts';
import { type FlatBuffers, Workspace } from '../../src/tensor/index.ts';
import { drawnGuidance } from '../../src/ucgm/drawn_guidance.ts';
import { OBJECTIVE_DEFAULTS, type ObjectiveOptions, validateObjective } from '../../src/ucgm/options.ts';
import { sample } from '../../src/ucgm/sampler.ts';
import { SAMPLING_DEFAULTS, type SamplingOptions } from '../../src/ucgm/schedule.ts';
import { Trainer, type TrainerOptions } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';
import { anyStep, type MeanVelocity, numericalGradient, randn, relError, sampleLosses } from '../reference/index.ts';
import { BATCH, CLASSES, N } from './two_times_network.ts';

const ANYSTEP: ObjectiveOptions = {
  ...OBJECTIVE_DEFAULTS,
  method: 'ANYSTEP',
  step_ratio: [0.1, 0.1],
  ema_decay_rate: 0,
  wt_cosine_loss: false,
  weight_function: null,
};
const options = (objective: Partial<ObjectiveOptions> = {}, more: Partial<TrainerOptions> = {}): TrainerOptions => ({
  objective: { ...ANYSTEP, ...objective },
  optimizer: { type: 'AdamW', lr: 1e-3, betas: [0.9, 0.95], weight_decay: 0 },
  emaDecay: 0.9,
  maxGradNorm: null,
  seed: 3,
  ...more,
});

describe('what guidance a step draws', () => {
  const SIZE = 6000;
  const scales = (o: Partial<ObjectiveOptions>) =>
    [...drawnGuidance({ ...ANYSTEP, ...o }, 3, 5, 0, SIZE).strength].map((zeta) => 1 / (1 - zeta));
  /** How far sorted numbers in [0, 1] are from evenly spread. */
  const uneven = (values: number[]) =>
    Math.max(...values.sort((a, b) => a - b).map((v, i) => Math.abs(v - (i + 0.5) / values.length)));

  it('scales by their logarithm or evenly, intervals evenly', () => {
    const least = 1.6 / Math.sqrt(SIZE); // Kolmogorov-Smirnov, p .01
    expect(uneven(scales({}).map((w) => Math.log(w) / Math.log(8)))).toBeLessThan(least);
    expect(uneven(scales({ guidance_scales: [2, 5], guidance_draw: 'uniform' }).map((w) => (w - 2) / 3))).toBeLessThan(
      least,
    );
    const { from, to } = drawnGuidance({ ...ANYSTEP, guidance_to: [0.7, 0.9] }, 3, 5, 0, SIZE);
    expect(uneven([...from].map((t) => 2 * t))).toBeLessThan(least);
    expect(uneven([...to].map((t) => (t - 0.7) / 0.2))).toBeLessThan(least);
    expect(new Set(scales({ guidance_scales: [4, 4] }))).toEqual(new Set([4]));
  });

  it('of the sample, not of its part, and of no other draw', () => {
    const whole = drawnGuidance(ANYSTEP, 3, 5, 0, SIZE);
    const part = drawnGuidance(ANYSTEP, 3, 5, 1000, 10);
    for (const key of ['strength', 'from', 'to'] as const) expect(part[key]).toEqual(whole[key].slice(1000, 1010));
    const u = uniform01(3, STREAM.guidance, 5, 3 * 77);
    expect(1 / (1 - (whole.strength[77] as number))).toBeCloseTo(8 ** u, 4);
  });

  it.each([
    [{ guidance_scales: [0.5, 8] }, 'guidance_scales are [0.5,8]'],
    [{ guidance_scales: [8, 1] }, 'guidance_scales are [8,1]. Fix: give two numbers of at least 1'],
    [{ guidance_from: [0, 0.6] }, 'guidance_from is [0,0.6], guidance_to [0.5,1]'],
    [{ guidance_draw: 'even' }, 'give guidance_draw one of: "log", "uniform"'],
    [{ method: 'RCGM', step_ratio: undefined, guidance_scales: [1, 8] }, 'RCGM has no guidance_scales'],
  ])('refuses %o', (change, message) => {
    const given = Object.fromEntries(Object.entries({ ...ANYSTEP, ...change }).filter(([, v]) => v !== undefined));
    expect(() => validateObjective(given as unknown as ObjectiveOptions)).toThrow(message);
  });
});

/** F = tanh(A x + t b + (t - s) c + what guidance adds + e_y), on the device. */
const small: VelocityNetwork = {
  parameters: [
    { name: 'a', shape: [N, N], init: 'xavier' },
    ...['t', 'span', 'strength', 'from', 'to'].map((name) => ({ name, shape: [N, 1], init: 'xavier' as const })),
    { name: 'e', shape: [CLASSES + 1, N], init: 'normal0.02' },
  ],
  constants: [],
  input: [2, 2, 2],
  numClasses: CLASSES,
  twoTimes: true,
  guidanceInput: true,
  forward(tape, w, x, t, y, span, _training, guidance) {
    const batch = x.shape[0] as number;
    let sum = add(tape, linear(tape, x.view(batch, N), w.get('a')), embedding(tape, w.get('e'), y));
    for (const [name, value] of Object.entries({ t, span, ...guidance }))
      sum = add(tape, sum, linear(tape, (value as typeof t).view(batch, 1), w.get(name)));
    return activate(tape, sum, 'tanh').view(...x.shape);
  },
};
const NAMES = small.parameters.map(({ name, shape }) => ({ name, size: shape.reduce((p, n) => p * n, 1) }));
const byName = (flat: ArrayLike<number>) => {
  let at = 0;
  return new Map(NAMES.map(({ name, size }) => [name, Float32Array.from(flat).slice(at, (at += size))] as const));
};

/** The same in f64 of all its weights in a row, for the guidance of one sample. */
function inF64(w: ArrayLike<number>, guidance: readonly number[]): MeanVelocity {
  return (x, t, s, label) =>
    Float64Array.from({ length: N }, (_, i) => {
      let sum = w[N * N + 5 * N + label * N + i] as number;
      [t, t - s, ...guidance].forEach((value, k) => {
        sum += value * (w[N * N + k * N + i] as number);
      });
      x.forEach((value, k) => {
        sum += value * (w[i * N + k] as number);
      });
      return Math.tanh(sum);
    });
}

it('the loss of a step and its gradients are those of f64, by the guidance of each sample', async () => {
  const workspace = new Workspace(await testDevice());
  const found: Map<string, Float32Array>[] = [];
  const given = options({ residual: 'plain', loss_power: 0, lab_drop_ratio: 0.2, ema_decay_rate: 1 });
  const trainer = new Trainer(workspace, small, BATCH, {
    ...given,
    onGradients: async (flat: FlatBuffers) => void found.push(await flat.read()),
  });
  const count = NAMES.reduce((sum, { size }) => sum + size, 0);
  const [own, teacher] = [1, 2].map((seed) => Float32Array.from(randn(count, seed), (v) => v / 3)) as [
    Float32Array,
    Float32Array,
  ];
  trainer.startFrom(byName(own), byName(teacher));
  const [x, z] = [3, 4].map((seed) => Float32Array.from(randn(BATCH * N, seed))) as [Float32Array, Float32Array];
  const t = [0.15, 0.4, 0.65, 0.85, 0.6];
  const labels = [0, 1, 2, 0, 1];
  await trainer.train({ x, z, t, labels } as never);
  const loss = (await trainer.metrics())[0]?.loss as number;
  await trainer.free();
  await workspace.dispose();

  const { strength, from, to } = drawnGuidance(given.objective, 3, 0, 0, BATCH);
  const zetas = t.map(
    (time, b) => (time > (from[b] as number) && time < (to[b] as number) ? strength[b] : 0) as number,
  );
  expect(zetas.filter((zeta) => zeta > 0).length).toBeGreaterThan(1);
  expect(zetas).toContain(0);
  const step = (w: ArrayLike<number>, b: number) => {
    const guidance = [strength, from, to].map((of) => of[b] as number);
    return anyStep({
      x: x.slice(b * N, (b + 1) * N),
      z: z.slice(b * N, (b + 1) * N),
      label: b === BATCH - 1 ? CLASSES : (labels[b] as number), // the last of five is dropped
      nullLabel: CLASSES,
      t: t[b] as number,
      s: (t[b] as number) * (1 - uniform01(3, STREAM.time, 0, b)),
      a: 0.1,
      zeta: zetas[b] as number,
      residual: 'plain',
      network: inF64(w, guidance),
      frozen: inF64(teacher, guidance),
    });
  };
  const batch = [0, 1, 2, 3, 4];
  const target = batch.flatMap((b) => [...step(own, b).target]);
  const losses = (w: ArrayLike<number>) =>
    sampleLosses({
      ...{ batch: BATCH, channels: 2, pixels: N / 2, c: 0, cosine: false, squared: true, target },
      prediction: batch.flatMap((b) => [...step(w, b).prediction]),
    }).losses;
  const mean = losses(own).reduce((sum, value) => sum + value / BATCH, 0);
  expect(Math.abs(loss / mean - 1)).toBeLessThan(2e-5);
  const gradient = byName(
    numericalGradient(
      losses,
      own,
      batch.map(() => 1 / BATCH),
    ),
  );
  for (const { name } of NAMES)
    expect(relError(found[0]?.get(name) as Float32Array, gradient.get(name) as Float32Array), name).toBeLessThan(2e-5);
});

const MODEL = { input_size: 8, in_channels: 1, num_classes: 3, patch_size: 4, hidden_size: 16, depth: 2, num_heads: 2 };
const plain = createNetwork('TiT', { ...MODEL, two_times: true });
const guided = createNetwork('TiT', { ...MODEL, two_times: true, guidance_input: true });

/** Losses of steps from the same weights, of which those of guidance's embeddings start without effect. */
async function losses(network: VelocityNetwork, objective: Partial<ObjectiveOptions>, steps: number) {
  const workspace = new Workspace(await testDevice());
  const trainer = new Trainer(workspace, network, 4, options(objective));
  const start = plain.parameters.map(({ name, shape }, i) => {
    const values = randn(
      shape.reduce((product, n) => product * n, 1),
      i,
    );
    return [name, Float32Array.from(values, (v) => v / 8)] as const;
  });
  trainer.startFrom(new Map(start));
  const x = Float32Array.from(randn(4 * 64, 7));
  const out: number[] = [];
  for (let step = 0; step < steps; step++) {
    await trainer.train({ x, labels: Uint32Array.of(0, 1, 2, 0) });
    out.push(...(await trainer.metrics()).map((m) => m.loss));
  }
  await trainer.free();
  await workspace.dispose();
  expect(workspace.ledger.total).toBe(0);
  return out;
}

describe('guidance as an input', () => {
  it('at a scale of 1 has the target of no guidance, and another one above', async () => {
    const without = await losses(plain, {}, 1);
    expect(await losses(guided, { guidance_scales: [1, 1] }, 1)).toEqual(without);
    const scale: Partial<ObjectiveOptions> = { guidance_scales: [2, 2], guidance_from: [0, 0], guidance_to: [1, 1] };
    const above = await losses(guided, scale, 1);
    expect(above).not.toEqual(without);
    // While its embeddings have no effect, one scale is zeta = 1 - 1 / w for all.
    expect(above).toEqual(await losses(plain, { enhanced_ratio: 0.5, enhanced_range: [0, 1] }, 1));
  });

  it('names what does not go together', async () => {
    const workspace = new Workspace(await testDevice());
    const make = (network: VelocityNetwork, objective: Partial<ObjectiveOptions>) => () =>
      new Trainer(workspace, network, 4, options(objective));
    expect(make(guided, { enhanced_ratio: 0.5 })).toThrow('enhanced_ratio is 0.5 for a network that takes guidance');
    expect(make(plain, { guidance_scales: [1, 8] })).toThrow('guidance_scales is for a network that takes guidance');
    const { step_ratio: _, ...other } = { ...ANYSTEP, method: 'RCGM' } as const;
    expect(() => new Trainer(workspace, guided, 4, { ...options(), objective: other })).toThrow(
      'RCGM gives no guidance to a network that takes it. Fix: set method to ANYSTEP',
    );
    const one = createNetwork('TiT', { ...MODEL, guidance_input: true });
    const unified = { ...OBJECTIVE_DEFAULTS };
    expect(() => new Trainer(workspace, one, 4, { ...options(), objective: unified })).toThrow(
      'UCGM gives no guidance to a network that takes it',
    );
    await workspace.dispose();
  });

  it('is sampled by one pass of the batch; below a scale of 1 by two, of no guidance', async () => {
    const workspace = new Workspace(await testDevice());
    const sizes: number[] = [];
    const counted: VelocityNetwork = {
      ...guided,
      forward: (...asked) => {
        sizes.push(asked[2].shape[0] as number);
        return guided.forward(...asked);
      },
    };
    const store = new WeightStore(workspace, guided);
    const weights = store.frozen('weights');
    const values = guided.parameters.map(({ name, shape }, i) => {
      const count = shape.reduce((product, n) => product * n, 1);
      return [name, Float32Array.from(randn(count, i), (v) => v / 4)] as const;
    });
    weights.flat.values.write(new Map(values));
    const bare = new WeightStore(workspace, plain).frozen('weights without');
    bare.flat.values.write(new Map(values.filter(([name]) => bare.has(name))));
    const request = { noise: Float32Array.from(randn(2 * 64, 9)), labels: Uint32Array.of(0, 2) };
    const draw = async (network: VelocityNetwork, of: NetworkWeights, change: Partial<SamplingOptions>) => {
      const sampling = { ...SAMPLING_DEFAULTS, sampling_steps: 2, target_time: 'next' as const, ...change };
      return (await sample(workspace, network, of, 'Linear', sampling, request)).samples;
    };
    const drawn = await draw(counted, weights, { cfg_scale: 3 });
    expect(sizes).toEqual([2, 2]);
    for (const other of [{ cfg_scale: 1 }, { cfg_scale: 4 }, { cfg_scale: 3, cfg_interval: [0.2, 1] as const }])
      expect(await draw(counted, weights, other)).not.toEqual(drawn);
    sizes.length = 0;
    const below = await draw(counted, weights, { cfg_scale: 0.999 });
    expect(sizes).toEqual([4, 4]);
    expect(relError(below, await draw(guided, weights, { cfg_scale: 1 }))).toBeLessThan(2e-3);
    // Embeddings that have no effect: every scale is no guidance, as of the network without them.
    const still = values.map(([name, v]) => [name, /^guidance.*mlp\.2/.test(name) ? v.map(() => 0) : v] as const);
    weights.flat.values.write(new Map(still));
    const without = await draw(plain, bare, { cfg_scale: 1 });
    expect(await draw(guided, weights, { cfg_scale: 5 })).toEqual(without);
    await workspace.dispose();
  });

  it('learned on three classes, moves samples the way that two passes of guidance do', async () => {
    const workspace = new Workspace(await testDevice());
    const sizes = { ...MODEL, hidden_size: 32, depth: 1, two_times: true, guidance_input: true };
    const network = createNetwork('TiT', sizes);
    const trainer = new Trainer(workspace, network, 24, {
      ...options({ same_time_ratio: 0.5, guidance_scales: [1, 4], guidance_to: [1, 1], lab_drop_ratio: 0.25 }),
      optimizer: { type: 'AdamW', lr: 5e-3, betas: [0.9, 0.95], weight_decay: 0 },
      emaDecay: 0.98,
    });
    // Images of a class are spread so widely that those of another lie among them: else guidance would have nothing to do.
    const pattern = (label: number, i: number) => Math.sin(i * (label + 1));
    const labels = Uint32Array.from({ length: 24 }, (_, b) => b % 3);
    for (let step = 0; step < 800; step++) {
      const spread = (sample: number, k: number) => 0.7 * normal(1, STREAM.data, step, 3 * sample + k);
      const x = Float32Array.from({ length: 24 * 64 }, (_, i) => {
        const sample = Math.floor(i / 64);
        return [0, 1, 2].reduce(
          (sum, k) => sum + pattern(k, i % 64) * ((sample % 3 === k ? 1 : 0) + spread(sample, k)),
          0,
        );
      });
      await trainer.train({ x, labels });
    }
    const noise = Float32Array.from({ length: 24 * 64 }, (_, i) => normal(9, STREAM.sample, 0, i));
    const draw = async (cfg_scale: number, asked: VelocityNetwork) => {
      const sampling: SamplingOptions = { ...SAMPLING_DEFAULTS, sampling_steps: 4, target_time: 'next', cfg_scale };
      const request = { noise, labels };
      return (await sample(workspace, asked, trainer.average, 'Linear', sampling, request)).samples;
    };
    /** The network asked without guidance, whatever is asked for: then the sampler guides by two passes. */
    const twice: VelocityNetwork = {
      ...network,
      guidanceInput: false,
      forward: (tape, w, at, t, y, span, training) => {
        const [strength, from, to] = [0, 0, 1].map((value) => {
          const tensor = tape.alloc(y.count);
          workspace.stream.write(tensor, new Float32Array(y.count).fill(value));
          return tensor;
        }) as [typeof t, typeof t, typeof t];
        return network.forward(tape, w, at, t, y, span, training, { strength, from, to });
      },
    };
    const none = await draw(1, network);
    expect(relError(await draw(1, twice), none)).toBeLessThan(1e-6);
    const moved = (to: Float32Array) => to.map((v, i) => v - (none[i] as number));
    const [input, passes] = [moved(await draw(3, network)), moved(await draw(3, twice))];
    const dot = input.reduce((sum, v, i) => sum + v * (passes[i] as number), 0);
    const cosine = dot / Math.hypot(...input) / Math.hypot(...passes);
    // How far a sample goes towards the mean of its class and away from those of all, as a multiple of their distance.
    const towards = (move: Float32Array) => {
      let [along, length] = [0, 0];
      move.forEach((v, i) => {
        const own = Math.floor(i / 64) % 3;
        const from = [0, 1, 2].reduce((sum, label) => sum + pattern(label, i % 64) / 3, 0);
        const way = pattern(own, i % 64) - from;
        along += v * way;
        length += way * way;
      });
      return along / length;
    };
    const [ours, theirs] = [towards(input), towards(passes)].map((v) => v.toFixed(3));
    console.log(`guidance of 3: ${ours} as an input, ${theirs} by two passes, cosine ${cosine.toFixed(3)}`);
    expect(towards(input)).toBeGreaterThan(0.1);
    expect(cosine).toBeGreaterThan(0.5);
    await trainer.free();
    await workspace.dispose();
  });
});
