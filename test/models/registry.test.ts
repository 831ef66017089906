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

  it('put 22 of the 28 blocks of DDT-XL into the encoder', () => {
    const { class_, ...sizes } = namedModel('DDT-XL/2');
    expect(createNetwork(class_, { ...sizes, ...DATA }).parameters.length).toBeGreaterThan(28 * 10);
    expect(() => createNetwork('DDT', { ...sizes, ...DATA, num_encoder_blocks: 29 })).toThrow('from 0 to depth, 28');
  });

  it.each(['TiT-Q/2', 'UNet-S/2', 'S/3', '', 'TiT-/2'])('refuse %j', (name) => {
    expect(() => namedModel(name)).toThrow(ModelError);
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
