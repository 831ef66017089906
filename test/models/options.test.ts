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

it('options that the class does not read are refused, with those it has and the classes that have them', () => {
  for (const [class_, option, others] of [
    ['TiT', { num_encoder_blocks: 1 }, 'DDT'],
    ['LightningDiT', { num_encoder_blocks: 1 }, 'DDT'],
    ['SiT', { use_rope: true }, 'TiT, LightningDiT'],
    ['DDT', { use_qknorm: false }, 'TiT, LightningDiT'],
    ['DDT', { two_times: true }, 'TiT, SiT, LightningDiT'],
    ['DDT', { learn_sigma: true }, 'TiT, SiT, LightningDiT'],
  ] as const) {
    const message = `${class_}: has no option ${Object.keys(option)}. Fix: leave it out, or use ${others}; its options are: input_size`;
    expect(() => createNetwork(class_, { ...sizes, ...option })).toThrow(message);
  }
  expect(createNetwork('SiT', { ...sizes, two_times: true, learn_sigma: true }).twoTimes).toBe(true);
  for (const class_ of ['TiT', 'LightningDiT'])
    expect(() => createNetwork(class_, { ...sizes, use_rope: false, wo_shift: true })).not.toThrow();
  expect(() => createNetwork('DDT', { ...sizes, num_encoder_blocks: 1 })).not.toThrow();
});
