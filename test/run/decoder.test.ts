import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { BatchSource } from '../../src/data/batches.ts';
import { encodeSafetensors } from '../../src/io/safetensors.ts';
import { joined } from '../../src/run/checkpoint.ts';
import { parseAutoencoder, pictureDecoder } from '../../src/run/decoder.ts';
import { loadModel } from '../../src/run/loaded_model.ts';
import { train } from '../../src/run/train.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';

/** Latents of 3 x 4 x 4, scaled: a network sees numbers about 1, a decoder ones about 5. */
const source: BatchSource = {
  name: 'latents',
  ...{ size: 8, channels: 3, height: 4, width: 4, numClasses: 2 },
  latents: { mean: Float32Array.of(5, 5, 5), std: Float32Array.of(2, 2, 2), multiplier: 1 },
  batch: async () => ({
    x: Float32Array.from({ length: 4 * 48 }, (_, i) => Math.sin(i)),
    labels: Uint32Array.of(0, 1, 0, 1),
  }),
  close: async () => {},
};
const config = {
  model: { name: 'tiny', hidden_size: 16, depth: 1, num_heads: 1, patch_size: 2 },
  data: { name: 'latents', batch_size: 4 },
  train: { steps: 1, sample_every: 0 },
} as NonNullable<Parameters<typeof train>[0]['config']>;

it('a session and a loaded model give pictures where they are given a decoder, and latents without one', async () => {
  const device = await testDevice();
  const decoder = pictureDecoder('idae_f1c3');
  const session = await train({ device, data: source, config, decoder });
  const drawn = await session.sample({ labels: [0, 1], steps: 1, keepAll: true });
  expect([drawn.latents, drawn.shape, drawn.all.length]).toEqual([false, [3, 4, 4], 2]);
  const model = await loadModel(await session.save());
  const pictures = await model.sample({ device, labels: [0, 1], steps: 1, decoder });
  expect([pictures.latents, [...pictures.samples]]).toEqual([false, [...drawn.samples]]);
  const latents = await model.sample({ device, labels: [0, 1], steps: 1 });
  expect([latents.latents, [...latents.samples]]).toEqual([true, [...drawn.samples]]); // the identity's are the same numbers
  await expect(model.sample({ device, steps: 1, decoder: pictureDecoder('taef2') })).rejects.toThrow(
    'the latents have 3 channels, those of taef2 32',
  );
  await model.free();
  await session.close();
});

it('reads the weights that come along, and refuses numbers that are none', async () => {
  const bytes = readFileSync(new URL('../../models/taef2.safetensors', import.meta.url));
  const decoder = pictureDecoder('taef2', parseAutoencoder(bytes, 'taef2.safetensors'));
  const workspace = new Workspace(await testDevice());
  const { data, height, width } = await decoder.decode(workspace, {
    data: new Float32Array(32),
    ...{ batch: 1, height: 1, width: 1 },
  });
  expect([data.length, height, width, data.every(Number.isFinite)]).toEqual([3 * 64, 8, 8, true]);
  expect(workspace.ledger.bytes().parameter).toBe(0); // the weights are on the device as long as it takes
  const wrong = joined(encodeSafetensors([['encoder.0.bias', { shape: [1], data: Float32Array.of(Number.NaN) }]], {}));
  expect(() => parseAutoencoder(wrong, 'x.safetensors')).toThrow(/x.safetensors: encoder.0.bias/);
  await workspace.dispose();
});
