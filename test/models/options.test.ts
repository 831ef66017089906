import { expect, it } from 'vitest';
import { createNetwork, type ModelConfig } from '../../src/models/registry.ts';

const sizes = { input_size: 8, patch_size: 4, in_channels: 1, num_classes: 3, hidden_size: 16, depth: 1, num_heads: 2 };

it('keys of a model that do not exist, and values of another type, are refused by name', () => {
  const making =
    (config: unknown, name = 'TiT') =>
    () =>
      createNetwork(name, config as ModelConfig);
  expect(making({ ...sizes, use_ropes: false })).toThrow(
    'TiT: has no option use_ropes. Fix: write use_rope; its options are: input_size',
  );
  expect(making({ ...sizes, hiddenSize: 16 }, 'SiT')).toThrow('write hidden_size');
  expect(making({ ...sizes, depth: '1' })).toThrow('depth is "1"');
  expect(making({ ...sizes, use_rope: 'false' })).toThrow('give use_rope true or false');
  expect(making({}, 'DDT')).toThrow('DDT: input_size is missing');
  expect(making(undefined)).toThrow('TiT: the options are missing');
  expect(making(sizes, 'constructor')).toThrow('network class constructor does not exist');
});
