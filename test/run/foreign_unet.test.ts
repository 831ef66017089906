import { describe, expect, it } from 'vitest';
import type { RawTensor } from '../../src/io/safetensors.ts';
import { createNetwork, type ModelConfig } from '../../src/models/registry.ts';
import { unetModel, unetName } from '../../src/run/foreign_unet.ts';

/** Tensors of a network by name, of zeros but its constants. */
function tensorsOf(class_: string, config: ModelConfig): Map<string, RawTensor> {
  const { parameters, constants } = createNetwork(class_, config);
  const zeros = parameters.map(({ name, shape }) => [
    name,
    { dtype: 'F32', shape: [...shape], data: new Uint8Array(4 * shape.reduce((a, b) => a * b, 1)) },
  ]);
  const kept = constants.map(({ name, shape, data }) => [
    name,
    { dtype: 'F32', shape: [...shape], data: new Uint8Array(data.buffer) },
  ]);
  return new Map([...zeros, ...kept] as [string, RawTensor][]);
}

const DATA = { input_size: 8, in_channels: 3, num_classes: 4 };

describe('a U-net is known by its tensors', () => {
  it.each<[string, string, ModelConfig]>([
    ['EDM2', 'EDM2-XS', { ...DATA, model_channels: 64, channel_mult: [1, 2], num_blocks: 2, attn_resolutions: [4] }],
    [
      'EDM2',
      'EDM2-XS',
      { ...DATA, num_classes: 0, model_channels: 8, channel_mult: [1, 1, 2], num_blocks: 1, channel_mult_emb: 3 },
    ],
    ['UNet+', 'UNet+', { ...DATA, model_channels: 8, channel_mult: [2, 1], num_blocks: 1, attn_resolutions: [8] }],
    [
      'UNet+',
      'NCSN++',
      {
        ...{ ...DATA, num_classes: 0, model_channels: 8, channel_mult: [1, 2], num_blocks: 1, attn_resolutions: [] },
        ...{ embedding_type: 'fourier', channel_mult_noise: 2, encoder_type: 'residual', decoder_type: 'skip' },
        resample_filter: [1, 3, 3, 1],
      },
    ],
    [
      'UNet+',
      'UNet+',
      { ...DATA, model_channels: 8, channel_mult: [1, 2], num_blocks: 1, encoder_type: 'skip', attn_resolutions: [4] },
    ],
  ])('%s as %s, %#', (class_, name, config) => {
    const weights = tensorsOf(class_, config);
    const { name: found, ...model } = unetModel('x.pkl', weights, name);
    expect(found).toBe(name);
    expect(model).toMatchObject({
      ...config,
      ...(config.attn_resolutions && { attn_resolutions: [...config.attn_resolutions] }),
    });
    const again = createNetwork(class_, model as ModelConfig);
    const shapes = again.parameters.map(({ name: own, shape }) => [own, shape]);
    expect(shapes).toEqual(createNetwork(class_, config).parameters.map(({ name: own, shape }) => [own, shape]));
  });

  it('and by its width, where that is a published one', () => {
    const named = (model_channels: number) =>
      unetName(tensorsOf('EDM2', { ...DATA, model_channels, channel_mult: [1], num_blocks: 1 }));
    expect([named(128), named(8)]).toEqual(['EDM2-XS', undefined]);
    expect(unetName(new Map())).toBeUndefined();
    const wrong = new Map([...tensorsOf('EDM2', { ...DATA, model_channels: 8, channel_mult: [1] })]);
    wrong.delete('emb_noise.weight');
    expect(() => unetModel('x.pkl', wrong, 'EDM2-XS')).toThrow('x.pkl: there is no emb_noise.weight of EDM2-XS');
  });
});
