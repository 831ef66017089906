import { expect, it } from 'vitest';
import { Tape } from '../../src/autograd/tape.ts';
import { createNetwork } from '../../src/models/registry.ts';
import { WeightStore } from '../../src/nn/weights.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';
import { randn, relError, sinusoids } from '../reference/index.ts';

const D = 16;
const SIZES = { input_size: 8, in_channels: 1, num_classes: 3, patch_size: 4, hidden_size: D, depth: 2, num_heads: 2 };
const GIVEN = { scale: 0.6, from: 0.1, to: 0.85 } as const;
const TIME = 0.3;

/** Gradients of sum(out cotangent) for one image. */
async function gradients(
  class_: string,
): Promise<{ weights: Map<string, Float32Array>; of: Map<string, Float32Array> }> {
  const workspace = new Workspace(await testDevice());
  const network = createNetwork(class_, { ...SIZES, two_times: true, guidance_input: true });
  const weights = new WeightStore(workspace, network).trainable(0);
  const values = new Map(
    network.parameters.map(({ name, shape }, i) => {
      const count = shape.reduce((product, n) => product * n, 1);
      return [name, Float32Array.from(randn(count, i), (v) => v / 4)] as const;
    }),
  );
  weights.flat.values.write(values);
  workspace.beginStep();
  const put = (shape: number[], data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>) => {
    const tensor = workspace.arena.alloc(shape);
    workspace.stream.write(tensor, data);
    return tensor;
  };
  const one = (value: number) => put([1], Float32Array.of(value));
  const [x, cotangent] = [100, 200].map((seed) => put([1, 1, 8, 8], Float32Array.from(randn(64, seed))));
  const tape = new Tape(workspace, { record: true });
  const guidance = { strength: one(GIVEN.scale), from: one(GIVEN.from), to: one(GIVEN.to) };
  const y = put([1], Uint32Array.of(1));
  const out = network.forward(tape, weights, x as never, one(TIME), y, one(0.2), undefined, guidance);
  tape.backward(out, cotangent as never);
  const of = await (weights.flat.gradients as NonNullable<typeof weights.flat.gradients>).read();
  await workspace.dispose();
  return { weights: values, of };
}

/** Sines, then cosines, of frequencies from 1 to 128. */
const wavesOf = (value: number) =>
  [Math.sin, Math.cos].flatMap((f) => Array.from({ length: 128 }, (_, i) => f(value * 128 ** (i / 127))));

/** Gradients of an embedding's four tensors in f64, from that of what it gives. */
function inF64(weights: Map<string, Float32Array>, name: string, waves: ArrayLike<number>, dout: ArrayLike<number>) {
  const of = (suffix: string) => weights.get(`${name}.mlp.${suffix}`) as Float32Array;
  const [w0, b0, w2] = [of('0.weight'), of('0.bias'), of('2.weight')];
  const before = Float64Array.from({ length: D }, (_, j) =>
    Array.from(waves).reduce((sum, wave, i) => sum + wave * (w0[j * 256 + i] as number), b0[j] as number),
  );
  const sigmoid = before.map((v) => 1 / (1 + Math.exp(-v)));
  const hidden = before.map((v, j) => v * (sigmoid[j] as number));
  const dbefore = before.map((v, j) => {
    let sum = 0;
    for (let o = 0; o < D; o++) sum += (dout[o] as number) * (w2[o * D + j] as number);
    const s = sigmoid[j] as number;
    return sum * (s + v * s * (1 - s));
  });
  return {
    '0.weight': [...dbefore].flatMap((d) => Array.from(waves, (wave) => d * wave)),
    '0.bias': dbefore,
    '2.weight': Array.from(dout).flatMap((d) => [...hidden].map((h) => d * h)),
    '2.bias': dout,
  };
}

it.each(['TiT', 'SiT', 'LightningDiT'])(
  '%s: gradients of the embeddings of guidance are those of f64',
  async (class_) => {
    const { weights, of } = await gradients(class_);
    // All embeddings are summed, so that of one image each has the same gradient: that of the time's last bias.
    const dout = of.get('t_embedder.mlp.2.bias') as Float32Array;
    expect(Math.hypot(...dout)).toBeGreaterThan(1e-3);
    const given = [
      ['t_embedder', sinusoids([TIME], 256, 1e4)], // which fixtures of the reference check as well
      ...Object.entries(GIVEN).map(([key, value]) => [`guidance_embedder.${key}`, wavesOf(value)] as const),
    ] as const;
    for (const [name, waves] of given)
      for (const [suffix, expected] of Object.entries(inF64(weights, name, waves, dout)))
        expect(relError(of.get(`${name}.mlp.${suffix}`) as Float32Array, expected), `${name} ${suffix}`).toBeLessThan(
          5e-6,
        );
  },
);

it('names what does not fit', async () => {
  expect(() => createNetwork('TiT', { ...SIZES, num_classes: 0, guidance_input: true })).toThrow(
    'guidance_input for num_classes 0. Fix: leave guidance_input out',
  );
  expect(() => createNetwork('DDT', { ...SIZES, guidance_input: true })).toThrow('guidance_input');
  const workspace = new Workspace(await testDevice());
  const network = createNetwork('SiT', { ...SIZES, guidance_input: true });
  const weights = new WeightStore(workspace, network).frozen('weights');
  workspace.beginStep();
  const [x, t, y] = [[1, 1, 8, 8], [1], [1]].map((shape) => workspace.arena.alloc(shape)) as [never, never, never];
  const tape = new Tape(workspace, { record: false });
  expect(() => network.forward(tape, weights, x, t, y)).toThrow('a network that takes guidance was given none');
  await workspace.dispose();
});

it('has the parameters of before without it, and with it six products more', () => {
  const names = (guidance_input?: boolean) =>
    createNetwork('TiT', { ...SIZES, ...(guidance_input !== undefined && { guidance_input }) }).parameters.map(
      ({ name }) => name,
    );
  expect(names(false)).toEqual(names());
  const added = names(true).filter((name) => !names().includes(name));
  expect(added).toHaveLength(12);
  expect(added.every((name) => /^guidance_embedder\.(scale|from|to)\.mlp\.[02]\.(weight|bias)$/.test(name))).toBe(true);
});
