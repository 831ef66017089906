import { describe, expect, it } from 'vitest';
import { ModelError } from '../../src/models/config.ts';
import { createNetwork, namedModel } from '../../src/models/registry.ts';

const DATA = { input_size: 32, in_channels: 4, num_classes: 1000 };

const parametersOf = (name: string): number => {
  const { class_, ...sizes } = namedModel(name);
  const { parameters } = createNetwork(class_, { ...sizes, ...DATA });
  return parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
};

describe('named models', () => {
  it('have the sizes of the reference', () => {
    // The reference's table of parameters: TiT-S 33.0M, TiT-B 130.5M, TiT-XL 675M, at patch 2 of 32 x 32 x 4.
    expect(parametersOf('TiT-S/2') / 1e6).toBeCloseTo(33.0, 0);
    expect(parametersOf('TiT-B/2') / 1e6).toBeCloseTo(130.5, 0);
    expect(Math.abs(parametersOf('TiT-XL/2') / 1e6 - 675)).toBeLessThan(2);
    expect(parametersOf('LightningDiT-XL/1')).toBeGreaterThan(670e6);
    expect(parametersOf('1p6B/1')).toBeGreaterThan(1.55e9);
  });

  it('have the parameters of the reference, of convolutional networks', () => {
    // Millions of conv.md of the issue: EDM2 of 512 pixels, latents of 64 x 64 x 4, and UNet+ of CIFAR-10.
    const millions = (name: string, data: object) => {
      const { class_, ...sizes } = namedModel(name);
      const { parameters } = createNetwork(class_, { ...DATA, ...sizes, ...data });
      return parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0) / 1e6;
    };
    for (const [size, expected] of Object.entries({ XS: 124.7, S: 280.2, M: 497.8, L: 777.5, XL: 1119.3, XXL: 1523.2 }))
      expect(millions(`EDM2-${size}`, { input_size: 64 }), size).toBeCloseTo(expected, 1);
    expect(millions('EDM2-S', { input_size: 32 })).toBeCloseTo(267.8, 1);
    for (const name of ['UNet+', 'DDPM++'])
      expect(millions(name, { in_channels: 3, num_classes: 0 })).toBeCloseTo(55.7, 1);
    expect(namedModel('NCSN++')).toMatchObject({ class_: 'UNet+', encoder_type: 'residual' });
  });

  it('put 22 of the 28 blocks of DDT-XL into the encoder', () => {
    const { class_, ...sizes } = namedModel('DDT-XL/2');
    expect(createNetwork(class_, { ...sizes, ...DATA }).parameters.length).toBeGreaterThan(28 * 10);
    expect(() => createNetwork('DDT', { ...sizes, ...DATA, num_encoder_blocks: 29 })).toThrow('from 0 to depth, 28');
  });

  it.each(['TiT-Q/2', 'UNet-S/2', 'S/3', '', 'TiT-/2'])('refuse %j', (name) => {
    expect(() => namedModel(name)).toThrow(ModelError);
  });

  it.each([
    [{ input_size: 6 }, 'not halved 2 times'],
    [{ dropout: 1 }, 'dropout is 1'],
    [{ resample_filter: [1] }, 'even number of taps'],
    [{ channel_mult: [1, 0] }, 'channel_mult is 0'],
    [{ patch_size: 2 }, 'has no option patch_size'],
    [{ encoder_type: 'none' as never }, 'encoder_type is "none"'],
  ])('of UNet+ refuse %o', (change, message) => {
    expect(() => createNetwork('UNet+', { ...DATA, ...change })).toThrow(message);
  });

  it.each([
    [{ res_balance: 2 }, 'res_balance is 2'],
    [{ clip_act: 0 }, 'clip_act is 0'],
    [{ encoder_type: 'skip' as const }, 'has no option encoder_type'],
  ])('of EDM2 refuse %o', (change, message) => {
    expect(() => createNetwork('EDM2', { ...DATA, ...change })).toThrow(message);
  });

  it.each([
    [{ patch_size: 5 }, 'does not divide input_size'],
    [{ num_heads: 7 }, 'does not divide hidden_size'],
    [{ num_heads: 1 }, 'above 128'],
    [{ depth: 0 }, 'depth is 0'],
    [{ num_classes: -1 }, 'num_classes is -1'],
  ])('refuse %o', (change, message) => {
    const { class_, ...sizes } = namedModel('S/2');
    expect(() => createNetwork(class_, { ...sizes, ...DATA, ...change })).toThrow(message);
  });
});
