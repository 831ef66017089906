import { expect, it } from 'vitest';
import type { Tape } from '../../src/autograd/tape.ts';
import { createNetwork } from '../../src/models/registry.ts';
import type { VelocityNetwork } from '../../src/nn/network.ts';
import type { Shard } from '../../src/rng/shard.ts';
import { type FlatBuffers, Tensor, Workspace } from '../../src/tensor/index.ts';
import { OBJECTIVE_DEFAULTS, type ObjectiveOptions } from '../../src/ucgm/options.ts';
import { Trainer, type TrainerOptions } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';

const sizes = { input_size: 6, patch_size: 3, in_channels: 1, num_classes: 3, hidden_size: 16, depth: 1, num_heads: 2 };
const PIXELS = 36;
const BATCH = 8;
const x = Float32Array.from({ length: BATCH * PIXELS }, (_, i) => Math.sin(i * i));
const labels = Uint32Array.from({ length: BATCH }, (_, i) => i % 3);

/** The network, and after each pass the inputs that it was asked at: those of the samples alone, not of the weights. */
function watched(network: VelocityNetwork, seen: Tensor[]): VelocityNetwork {
  return {
    ...network,
    forward: (tape: Tape, weights, ...inputs) => {
      for (const input of inputs) {
        if (!(input instanceof Tensor)) continue;
        const copy = tape.workspace.create('data', 'seen', input.shape, input.dtype);
        tape.workspace.stream.copy(input, copy);
        seen.push(copy);
      }
      return network.forward(tape, weights, ...inputs);
    },
  };
}

/** Inputs of the passes, loss and gradients of two steps of the samples `first` .. `first + size - 1` of the batch. */
async function train(objective: Partial<ObjectiveOptions>, first: number, size: number, shard?: Shard) {
  const workspace = new Workspace(await testDevice());
  const seen: Tensor[] = [];
  const network = createNetwork('TiT', { ...sizes, ...(objective.method && { two_times: true }) } as never);
  const gradients: Float32Array[] = [];
  const options: TrainerOptions = {
    objective: { ...OBJECTIVE_DEFAULTS, lab_drop_ratio: 0.4, wt_cosine_loss: false, ...objective },
    optimizer: { type: 'AdamW', lr: 1e-9, betas: [0.9, 0.95], weight_decay: 0 }, // what is compared is the next step's inputs
    emaDecay: 0.9,
    maxGradNorm: null,
    seed: 3,
    onGradients: async (flat: FlatBuffers) => void gradients.push(await flat.readChunk(0)),
    ...(shard && { shard }),
  };
  const trainer = new Trainer(workspace, watched(network, seen), size, options);
  const part = { x: x.slice(first * PIXELS, (first + size) * PIXELS), labels: labels.slice(first, first + size) };
  for (let i = 0; i < 2; i++) await trainer.train(part);
  const losses = (await trainer.metrics()).map((m) => m.loss);
  const inputs: number[][] = [];
  for (const tensor of seen) inputs.push([...(await workspace.read(tensor))]);
  await trainer.free();
  await workspace.dispose();
  return { inputs, gradients, losses };
}

const OBJECTIVES: [name: string, Partial<ObjectiveOptions>][] = [
  ['multi-step, enhanced', { enhanced_ratio: 0.5 }],
  ['few-step, enhanced', { consistc_ratio: 1, enhanced_ratio: 0.5, time_dist_ctrl: [0.8, 1.2, 1] }],
  ['any-step, RCGM', { method: 'RCGM', enhanced_ratio: 0.5, weight_function: null }],
  [
    'any-step',
    {
      method: 'ANYSTEP',
      step_ratio: [0.1, 0.1],
      same_time_ratio: 0.3,
      time_logit_normal: [-0.4, 1],
      time_ends: [0.2, 0.2, 0.2],
      enhanced_ratio: 0.5,
      weight_function: null,
    },
  ],
];

it.each(OBJECTIVES)(
  '%s: parts of a batch are asked what the whole is, and their gradients are its',
  async (_, objective) => {
    const whole = await train(objective, 0, BATCH);
    expect(await train(objective, 0, BATCH, { first: 0, of: BATCH })).toEqual(whole);
    for (const [cut, equal] of [
      [4, true],
      [5, false],
    ] as const) {
      const parts = [
        await train(objective, 0, cut, { first: 0, of: BATCH }),
        await train(objective, cut, BATCH - cut, { first: cut, of: BATCH }),
      ];
      const join = (i: number) => parts.flatMap(({ inputs }) => inputs[i] as number[]);
      expect(parts.map(({ inputs }) => inputs.length)).toEqual([whole.inputs.length, whole.inputs.length]);
      // x_t, t, y (and t - tt) of the first pass of each step follow from the random numbers alone, to the bit
      const passes = objective.method ? 4 : 3;
      const perStep = whole.inputs.length / 2;
      for (const start of [0, perStep])
        for (let i = start; i < start + passes; i++) expect(join(i), `input ${i}`).toEqual(whole.inputs[i]);
      for (let i = 0; i < whole.inputs.length; i++) {
        const [ours, theirs] = [join(i), whole.inputs[i] as number[]];
        ours.forEach((v, k) => void expect(Math.abs(v - (theirs[k] as number))).toBeLessThan(1e-4));
      }
      if (!equal) continue; // of unequal parts the mean is a weighted one
      for (const step of [0, 1]) {
        const means = parts[0]?.gradients[step]?.map((g, k) => (g + (parts[1]?.gradients[step]?.[k] as number)) / 2);
        const theirs = whole.gradients[step] as Float32Array;
        const size = Math.hypot(...theirs);
        expect(size).toBeGreaterThan(1e-3);
        expect(Math.hypot(...(means as Float32Array).map((g, k) => g - (theirs[k] as number)))).toBeLessThan(
          1e-5 * size,
        );
        const loss = ((parts[0]?.losses[step] as number) + (parts[1]?.losses[step] as number)) / 2;
        expect(loss).toBeCloseTo(whole.losses[step] as number, 5);
      }
    }
    expect(whole.inputs[0]).not.toEqual(whole.inputs[whole.inputs.length / 2]);
  },
);

it('a part that its batch does not hold is refused', async () => {
  const workspace = new Workspace(await testDevice());
  const make = (shard: unknown) => () =>
    new Trainer(workspace, createNetwork('TiT', sizes), 4, {
      objective: OBJECTIVE_DEFAULTS,
      optimizer: { type: 'AdamW', lr: 1e-2, betas: [0.9, 0.95], weight_decay: 0 },
      emaDecay: 0.9,
      maxGradNorm: null,
      seed: 3,
      shard: shard as Shard,
    });
  for (const [shard, message] of [
    [{ first: 5, of: 8 }, 'shard is { first: 5, of: 8 } for 4 samples. Fix: give whole numbers'],
    [{ first: -1, of: 8 }, 'first: -1'],
    [{ first: 0, of: 8.5 }, 'of: 8.5'],
    [{ first: 0 }, 'shard.of is missing'],
    [{ first: 0, of: 8, rank: 1 }, 'no option shard.rank'],
    [{ first: 0, of: 2 ** 30 }, 'more than 2^32 numbers'],
  ] as const)
    expect(make(shard)).toThrow(message);
  await workspace.dispose();
});
