import { expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { hiddenMatrices, matrixShape } from '../../src/optim/matrices.ts';

const sizes = { input_size: 8, in_channels: 1, num_classes: 3 };
const tokens = { ...sizes, patch_size: 4, hidden_size: 16, depth: 2, num_heads: 2 };
const levels = { ...sizes, model_channels: 16, channel_mult: [1, 2], num_blocks: 1, attn_resolutions: [4] };
const pyramids = { encoder_type: 'residual', decoder_type: 'skip' } as const;

/** The weights of two axes that are left to AdamW, and how many are not. */
function split(class_: string, config: Parameters<typeof createNetwork>[1]) {
  const parameters = createNetwork(class_, config).parameters.filter(({ shape }) => shape.length > 1);
  const matrices = hiddenMatrices(parameters);
  const rest = parameters.filter((parameter) => !matrices.includes(parameter));
  return { matrices: matrices.map((p) => p.name), rest: rest.map((p) => p.name.replace(/\.weight$/, '')) };
}

const EMBEDDERS = ['x_embedder.proj', 't_embedder.mlp.0', 't_embedder.mlp.2', 'y_embedder.embedding_table'];

it('of transformers they are the weights of blocks', () => {
  for (const class_ of ['SiT', 'TiT', 'LightningDiT']) {
    const { matrices, rest } = split(class_, tokens);
    expect(rest).toEqual([...EMBEDDERS, 'final_layer.adaLN_modulation.1', 'final_layer.linear']);
    expect(matrices).toHaveLength(10);
    expect(matrices.every((name) => /^blocks\.\d+\./.test(name))).toBe(true);
  }
  const { matrices, rest } = split('DDT', { ...tokens, num_encoder_blocks: 1 });
  expect(matrices.every((name) => /^blocks\.\d+\./.test(name))).toBe(true);
  expect(rest.filter((name) => !/embedder/.test(name))).toEqual([
    'final_layer.adaLN_modulation.0',
    'final_layer.linear',
  ]);
});

it('of convolutional networks they are the weights of blocks', () => {
  const unet = split('UNet+', levels);
  const maps = ['map_label', 'map_layer0', 'map_layer1'];
  expect(unet.rest).toEqual([...maps, 'enc.8x8_conv', 'dec.8x8_aux_conv']);
  const ncsn = split('UNet+', { ...levels, ...pyramids });
  expect(ncsn.rest.filter((name) => !/_aux_/.test(name))).toEqual([...maps, 'enc.8x8_conv']);
  const edm = split('EDM2', levels);
  expect(edm.rest).toEqual(['emb_noise', 'emb_label', 'enc.8x8_conv', 'out_conv']);
  for (const { matrices } of [unet, ncsn, edm]) {
    expect(matrices.length).toBeGreaterThan(20);
    expect(matrices.every((name) => /^(enc|dec)\.\d+x\d+_(block\d|in\d|down|up)\./.test(name))).toBe(true);
  }
});

it('of any other they are what lies between the first and the last weight, in two axes', () => {
  const of = (...shapes: number[][]) =>
    hiddenMatrices(shapes.map((shape, i) => ({ name: `${i}`, shape }))).map(({ name }) => Number(name));
  expect(of([4, 3], [4], [4, 4], [4], [8, 4, 3, 3], [1, 4], [4, 1], [2, 8], [2])).toEqual([2, 4]);
  expect(of([4, 3], [2, 4])).toEqual([]);
  expect(hiddenMatrices(['a', 'word_embed', 'c', 'd'].map((name) => ({ name, shape: [2, 2] })))).toMatchObject([
    { name: 'c' },
  ]);
  expect(matrixShape([8, 4, 3, 3])).toEqual({ rows: 8, cols: 36 });
});
