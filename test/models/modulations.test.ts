import { expect, it } from 'vitest';
import { Tape } from '../../src/autograd/tape.ts';
import { createNetwork } from '../../src/models/registry.ts';
import { WeightStore } from '../../src/nn/weights.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { OBJECTIVE_DEFAULTS } from '../../src/ucgm/options.ts';
import { Trainer } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';

const SIZES = { input_size: 8, in_channels: 2, num_classes: 3, hidden_size: 64, depth: 3, num_heads: 2, patch_size: 2 };
const BATCH = 5;
const wave = (count: number, seed: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(seed + i * i));

/** Velocity and gradients of one pass, and its dispatches; the modulations' weights side by side, or each where the order has it. */
async function pass(name: 'TiT' | 'SiT', options: { beside: boolean; checkpointing: boolean }) {
  const workspace = new Workspace(await testDevice());
  const network = createNetwork(name, SIZES);
  const apart = network.parameters.map(({ beside: _, ...spec }) => spec);
  const store = new WeightStore(workspace, { ...network, ...(!options.beside && { parameters: apart }) });
  const weights = store.trainable(1);
  weights.flat.values.write(
    new Map(
      network.parameters.map(({ name, shape }, i) => [
        name,
        wave(
          shape.reduce((a, b) => a * b),
          i,
        ).map((v) => v / 8),
      ]),
    ),
  );
  const make = (label: string, data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>, ...shape: number[]) => {
    const tensor = workspace.create('data', label, shape);
    workspace.stream.write(tensor, data);
    return tensor;
  };
  const pixels = [BATCH, ...network.input];
  const count = pixels.reduce((a, b) => a * b);
  const [x, grad] = [make('x', wave(count, 2), ...pixels), make('grad', wave(count, 3), ...pixels)];
  const t = make('t', Float32Array.of(0.1, 0.3, 0.5, 0.7, 0.9), BATCH);
  const y = make('y', Uint32Array.of(0, 1, 2, 3, 0), BATCH);
  workspace.beginStep();
  let dispatches = 0;
  const run = workspace.stream.run.bind(workspace.stream);
  Object.defineProperty(workspace.stream, 'run', {
    value: (...call: Parameters<typeof run>) => {
      dispatches++;
      run(...call);
    },
  });
  const tape = new Tape(workspace, { record: true, checkpointing: options.checkpointing });
  const out = network.forward(tape, weights, x, t, y);
  const kept = workspace.create('data', 'velocity', out.shape);
  workspace.stream.copy(out, kept);
  const forward = dispatches;
  tape.backward(out, grad);
  const velocity = await workspace.read(kept);
  const gradients = await weights.flat.gradients?.read();
  await workspace.dispose();
  return { velocity, gradients: gradients as Map<string, Float32Array>, forward, backward: dispatches - forward };
}

it.each([
  ['TiT', false],
  ['TiT', true],
  ['SiT', false],
] as const)(
  '%s: the modulations of all blocks by one product are those of each by its own (checkpointing %s)',
  async (name, checkpointing) => {
    const together = await pass(name, { beside: true, checkpointing });
    const plain = await pass(name, { beside: false, checkpointing });
    const { depth } = SIZES;
    expect(together.forward).toBe(plain.forward - depth);
    expect(plain.backward - together.backward).toBeGreaterThanOrEqual(2 * depth);
    close(together.velocity, plain.velocity, 'velocity');
    expect([...together.gradients.keys()]).toEqual([...plain.gradients.keys()]);
    for (const [key, gradient] of plain.gradients) close(together.gradients.get(key) as Float32Array, gradient, key);
  },
);

it('in mixed precision they learn as those of each by its own do', async () => {
  const losses = async (beside: boolean) => {
    const workspace = new Workspace(await testDevice());
    const network = createNetwork('TiT', SIZES);
    const apart = network.parameters.map(({ beside: _, ...spec }) => spec);
    const trainer = new Trainer(workspace, { ...network, ...(!beside && { parameters: apart }) }, BATCH, {
      objective: { ...OBJECTIVE_DEFAULTS, ema_decay_rate: 0.9 },
      optimizer: { type: 'AdamW', lr: 2e-3, betas: [0.9, 0.95], weight_decay: 0 },
      emaDecay: 0.9,
      maxGradNorm: 1,
      seed: 3,
      precision: 'mixed',
    });
    const x = wave(BATCH * 128, 2);
    for (let i = 0; i < 12; i++) await trainer.train({ x, labels: Uint32Array.of(0, 1, 2, 0, 1) });
    const all = (await trainer.metrics()).map(({ loss }) => loss);
    await workspace.dispose();
    return all;
  };
  const { features } = await testDevice();
  if (!features.has('shader-f16')) return expect(losses(true)).rejects.toThrow('the device has no shader-f16');
  const [together, plain] = [await losses(true), await losses(false)];
  expect(together.at(-1)).toBeLessThan((together[0] as number) * 0.99);
  together.forEach((loss, i) => {
    expect(Math.abs(loss / (plain[i] as number) - 1), `step ${i}`).toBeLessThan(5e-3);
  });
});

/** Equal but for the order of f32 sums. */
function close(got: Float32Array, expected: Float32Array, what: string): void {
  const most = expected.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  expect(most, what).toBeGreaterThan(0);
  const off = got.reduce((off, v, i) => Math.max(off, Math.abs(v - (expected[i] as number))), 0);
  expect(off / most, what).toBeLessThan(1e-5);
}
