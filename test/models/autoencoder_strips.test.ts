import { expect, it } from 'vitest';
import { Tape } from '../../src/autograd/tape.ts';
import type { Architecture } from '../../src/models/autoencoders/architecture.ts';
import { type DCSizes, type DCStage, dcAutoencoder } from '../../src/models/autoencoders/dcae.ts';
import { DC_AE_IN, DC_AE_SANA } from '../../src/models/autoencoders/dcae_config.ts';
import { klAutoencoder } from '../../src/models/autoencoders/kl.ts';
import { SD_VAE } from '../../src/models/autoencoders/kl_config.ts';
import { placeTensors } from '../../src/models/autoencoders/place.ts';
import { planStrips } from '../../src/models/autoencoders/strips.ts';
import { normal } from '../../src/rng/philox.ts';
import { count, Workspace } from '../../src/tensor/index.ts';
import { relativeError } from '../catalogue/run.ts';
import { testDevice } from '../gpu.ts';

const drawn = (length: number, seed: number, scale = 1) =>
  Float32Array.from({ length }, (_, i) => scale * normal(seed, 0, 0, i));

/** Weights of any values: norms' about 1, others' so that sizes stay. */
function randomWeights({ tensors }: Architecture) {
  const parts = tensors.flatMap(({ of }) => of);
  return new Map(
    parts.map(({ name, shape }, i) => {
      const values = drawn(count(shape), i, 1 / Math.sqrt(count(shape.slice(1))));
      const positive = (name.includes('norm') && name.endsWith('weight')) || name.endsWith('running_var');
      const data = positive ? values.map((v) => 1 + v / 4) : values;
      return [name, { shape, data }] as const;
    }),
  );
}

/** What an architecture makes of x, and the bytes of the largest tensor on the way. */
async function made(architecture: Architecture, way: 'encode' | 'decode', shape: readonly number[], most?: number) {
  const workspace = new Workspace(await testDevice());
  const placed = placeTensors(workspace, architecture, { weights: randomWeights(architecture), where: 'random' }, most);
  workspace.beginStep();
  let largest = 0;
  class Watched extends Tape {
    override alloc(...of: number[]) {
      largest = Math.max(largest, 4 * count(of));
      return super.alloc(...of);
    }
  }
  const tape = new Watched(workspace, { record: false });
  const x = tape.alloc(...shape);
  workspace.stream.write(x, drawn(count(shape), 1000));
  const values = await workspace.read(architecture[way](tape, placed, x));
  await workspace.dispose();
  return { values, largest };
}

const KL = { ...SD_VAE, widths: [8, 12, 16], blocks: 1, groups: 4, encoderAttention: [1] };
const IN = small(DC_AE_IN, [0, 1, 1]);
const SANA = small(DC_AE_SANA, [1, 1, 1]);

/** A deep compression autoencoder of few channels: two levels of convolutions, one of attention. */
function small(sizes: DCSizes, depths: number[]): DCSizes {
  const stages = (all: readonly DCStage[]) =>
    [1, 2, 3].map((level, i) => ({
      ...(all[level] as DCStage),
      width: [8, 16, 32][i] as number,
      depth: depths[i] as number,
    }));
  return { ...sizes, latentChannels: 8, encoder: stages(sizes.encoder), decoder: stages(sizes.decoder) };
}

// Bytes that strips may have, and that the largest tensors have which are in one: pictures, and queries, keys and values of wide heads.
for (const [name, of, ways, most, inOne] of [
  [
    'kl',
    (most?: number) => klAutoencoder({ ...KL, ...(most && { most }) }),
    { encode: [2, 3, 36, 20], decode: [2, 4, 9, 5] },
    4 * 2 * 5 * 20 * 12,
    4 * 2 * 3 * 36 * 20,
  ],
  [
    "dcae in-1.0's form",
    (most?: number) => dcAutoencoder({ ...IN, ...(most && { most }) }),
    { encode: [2, 3, 40, 20], decode: [2, 8, 10, 5] },
    4 * 2 * 4 * 5 * 256,
    4 * 2 * 3 * 40 * 20,
  ],
  [
    "dcae sana's form",
    (most?: number) => dcAutoencoder({ ...SANA, ...(most && { most }) }),
    { encode: [2, 3, 40, 20], decode: [2, 8, 10, 5] },
    4 * 2 * 4 * 5 * 256,
    4 * 2 * 3 * 40 * 20,
  ],
] as const)
  for (const way of ['encode', 'decode'] as const)
    it(`${name} ${way}s in strips of rows what it does in one`, async () => {
      const whole = await made(of(), way, ways[way]);
      const strips = await made(of(most), way, ways[way]);
      expect(whole.largest).toBeGreaterThan(2 * most);
      expect(strips.largest).toBeLessThanOrEqual(Math.max(most, inOne));
      expect(relativeError(strips.values, whole.values)).toBeLessThan(4e-6);
    });

it.each([
  ['kl', klAutoencoder(KL), [1, 4, 4, 4]],
  ["dcae in-1.0's form", dcAutoencoder(IN), [1, 8, 3, 4]],
  ["dcae sana's form", dcAutoencoder(SANA), [1, 8, 3, 4]],
] as const)('%s decodes by weights in parts what it does by whole ones', async (_, architecture, shape) => {
  const whole = await made(architecture, 'decode', shape);
  const parts = await made(architecture, 'decode', shape, 4 * 1300); // most have some more
  expect(relativeError(parts.values, whole.values)).toBeLessThan(2e-6);
});

it('strips cover all rows, keep to their ends and stay within what there is', () => {
  const plan = (most: number, ends: 'odd' | number, height = 24) =>
    planStrips(most, { height, bytesPerRow: 10, beside: 2, ends });
  expect(plan(260, 1)).toEqual([[0, 24]]);
  for (const ends of ['odd', 1, 2, 4] as const) {
    const strips = plan(140, ends);
    expect(strips.length).toBeGreaterThan(4);
    expect(strips.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i))).toEqual(
      Array.from({ length: 24 }, (_, i) => i),
    );
    for (const [from, to] of strips) {
      expect(10 * (to - from + 2)).toBeLessThanOrEqual(140);
      if (to < 24) expect(ends === 'odd' ? to % 2 : to % ends).toBe(ends === 'odd' ? 1 : 0);
    }
  }
  // Less than a row's bytes: rows one by one, or as few as there may be.
  expect(plan(1, 1, 3)).toEqual([
    [0, 1],
    [1, 2],
    [2, 3],
  ]);
  expect(plan(1, 'odd', 4)).toEqual([
    [0, 1],
    [1, 3],
    [3, 4],
  ]);
});
