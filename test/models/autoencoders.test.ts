import { expect, it } from 'vitest';
import { decodeLatents, encodePictures } from '../../src/models/autoencoders/autoencoder.ts';
import { AUTOENCODER_KEYS, autoencoderKind, openAutoencoder } from '../../src/models/autoencoders/registry.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';

it('the identity gives pictures as they are, in passes of a few', async () => {
  const workspace = new Workspace(await testDevice());
  const autoencoder = openAutoencoder(workspace, 'idae_f1c3');
  const pictures = { data: Float32Array.from({ length: 180 }, (_, i) => i / 90 - 1), batch: 3, height: 4, width: 5 };
  const latents = await encodePictures(workspace, autoencoder, pictures, { atOnce: 2 });
  expect(latents).toEqual(pictures);
  expect(await decodeLatents(workspace, autoencoder, latents, { atOnce: 2 })).toEqual(pictures);
  await workspace.dispose();
});

it('every key says what its latents are', () => {
  expect(AUTOENCODER_KEYS.length).toBeGreaterThan(1);
  for (const key of AUTOENCODER_KEYS) expect(autoencoderKind(key).key).toBe(key);
  expect(() => autoencoderKind('vae')).toThrow('there is no autoencoder vae');
});

it('tensors that do not fit are named', async () => {
  const workspace = new Workspace(await testDevice());
  const [few, other] = [new Float32Array(4), new Float32Array(64)];
  const weights = new Map([
    ['encoder.0.bias', { shape: [4], data: few }],
    ['decoder.1.bias', { shape: [64], data: other }],
    ['loss.weight', { shape: [4], data: few }],
  ]);
  const open = () => openAutoencoder(workspace, 'taef2', { weights, where: 'x.safetensors' });
  expect(open).toThrow(/x\.safetensors: .*missing: encoder\.0\.weight, .* more/);
  expect(open).toThrow('of another shape: encoder.0.bias [4], not [64]');
  expect(open).toThrow('not of this network: loss.weight');
  await workspace.dispose();
});

it('a picture of another size is refused, and the signal ends the work', async () => {
  const workspace = new Workspace(await testDevice());
  const autoencoder = { ...openAutoencoder(workspace, 'idae_f1c3'), downscale: 8 };
  const pictures = { data: new Float32Array(3 * 16 * 12), batch: 1, height: 16, width: 12 };
  await expect(encodePictures(workspace, autoencoder, pictures)).rejects.toThrow('multiples of 8');
  await expect(encodePictures(workspace, autoencoder, { ...pictures, height: 15 })).rejects.toThrow('with 576 numbers');
  const stopped = { signal: AbortSignal.abort(new Error('enough')) };
  const square = { ...pictures, height: 24, width: 8 };
  await expect(encodePictures(workspace, autoencoder, square, stopped)).rejects.toThrow('enough');
  await workspace.dispose();
});
