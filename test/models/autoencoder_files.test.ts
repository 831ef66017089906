import { expect, it } from 'vitest';
import { klAutoencoder } from '../../src/models/autoencoders/kl.ts';
import { klSizes, SD_VAE, VA_VAE } from '../../src/models/autoencoders/kl_config.ts';
import { klNaming } from '../../src/models/autoencoders/kl_names.ts';
import { openAutoencoder } from '../../src/models/autoencoders/registry.ts';
import { count, Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';

const CONFIG = {
  _class_name: 'AutoencoderKL',
  block_out_channels: [8, 16],
  down_block_types: ['DownEncoderBlock2D', 'AttnDownEncoderBlock2D'],
  up_block_types: ['AttnUpDecoderBlock2D', 'UpDecoderBlock2D'],
  layers_per_block: 1,
  latent_channels: 4,
  norm_num_groups: 4,
  use_quant_conv: false,
};

/** Zeros for all tensors of a configuration, by ldm's names. */
function zeros(config: object) {
  const { tensors } = klAutoencoder(klSizes(config, 'config'));
  return new Map(
    tensors.flatMap(({ of }) => of).map(({ name, shape }) => [name, { shape, data: new Float32Array(count(shape)) }]),
  );
}

it('diffusers has its own names, and had others for attention', () => {
  const now = klNaming(new Set(['encoder.down_blocks.0.resnets.0.conv1.weight']), 4);
  const before = klNaming(
    new Set(['decoder.up_blocks.0.resnets.0.conv1.weight', 'decoder.mid_block.attentions.0.query.weight']),
    4,
  );
  const pairs = [
    ['encoder.down.1.block.0.norm1.weight', 'encoder.down_blocks.1.resnets.0.norm1.weight'],
    ['encoder.down.2.attn.1.norm.bias', 'encoder.down_blocks.2.attentions.1.group_norm.bias'],
    ['encoder.down.2.downsample.conv.weight', 'encoder.down_blocks.2.downsamplers.0.conv.weight'],
    ['decoder.up.3.block.2.nin_shortcut.weight', 'decoder.up_blocks.0.resnets.2.conv_shortcut.weight'],
    ['decoder.up.1.upsample.conv.bias', 'decoder.up_blocks.2.upsamplers.0.conv.bias'],
    ['decoder.up.0.attn.0.proj_out.weight', 'decoder.up_blocks.3.attentions.0.to_out.0.weight'],
    ['encoder.mid.block_1.conv2.bias', 'encoder.mid_block.resnets.0.conv2.bias'],
    ['decoder.mid.block_2.norm2.weight', 'decoder.mid_block.resnets.1.norm2.weight'],
    ['decoder.mid.attn_1.q.weight', 'decoder.mid_block.attentions.0.to_q.weight'],
    ['decoder.norm_out.weight', 'decoder.conv_norm_out.weight'],
    ['encoder.conv_in.weight', 'encoder.conv_in.weight'],
    ['post_quant_conv.bias', 'post_quant_conv.bias'],
  ] as const;
  for (const [ldm, diffusers] of pairs) expect(now({ name: ldm, shape: [] })[0]?.name).toBe(diffusers);
  const attention = (part: string) => before({ name: `decoder.mid.attn_1.${part}.weight`, shape: [] })[0]?.name;
  expect(['norm', 'q', 'k', 'v', 'proj_out'].map(attention)).toEqual(
    ['group_norm', 'query', 'key', 'value', 'proj_attn'].map((part) => `decoder.mid_block.attentions.0.${part}.weight`),
  );
});

it('sizes come from the configuration of diffusers or of ldm', () => {
  expect(klSizes(CONFIG, 'c')).toEqual({
    ...{ widths: [8, 16], blocks: 1, latentChannels: 4, groups: 4, midAttention: true },
    ...{ encoderAttention: [1], decoderAttention: [1], quantised: false, postQuantised: true },
  });
  const ddconfig = { ch: 128, ch_mult: [1, 1, 2, 2, 4], num_res_blocks: 2, attn_resolutions: [16], resolution: 256 };
  expect(klSizes({ model: { params: { embed_dim: 32, ddconfig } } }, 'c')).toEqual({ ...VA_VAE, innerChannels: 32 });
  const sd = { block_out_channels: [128, 256, 512, 512], layers_per_block: 2 };
  expect(klSizes(sd, 'c')).toEqual(SD_VAE);
  expect(() => klSizes({ ...CONFIG, up_block_types: ['UpBlock2D'] }, 'c.json')).toThrow(
    /c\.json: up_block_types is Up/,
  );
  expect(() => klSizes({ ...CONFIG, latent_channels: '4' }, 'c')).toThrow(
    'latent_channels of the configuration is "4"',
  );
  expect(() => klSizes({ hidden_size: 4 }, 'c')).toThrow('neither block_out_channels nor ch_mult');
});

it('a file may wrap its names, hold matrices for convolutions of one pixel, and what only training needs', async () => {
  const workspace = new Workspace(await testDevice());
  const config = { ...CONFIG, norm_num_groups: 8 };
  const weights = zeros(config);
  const file = new Map([...weights].map(([name, tensor]) => [`state_dict.model.${name}`, tensor]));
  const one = { shape: [1], data: new Float32Array(1) };
  for (const name of ['loss.logvar', 'foundation_model.head', 'linear_proj.weight'])
    file.set(`state_dict.${name}`, one);
  for (const [name, { shape, data }] of file)
    if (/attn.*\.(q|k|v)\.weight$/.test(name)) file.set(name, { shape: shape.slice(0, 2), data });
  const { leftOut } = openAutoencoder(workspace, 'sdvae_f8c4', { weights: file, where: 'x.ckpt', config });
  expect(leftOut).toEqual(['loss.logvar', 'foundation_model.head', 'linear_proj.weight']);

  file.delete('state_dict.model.decoder.conv_out.bias');
  file.set('state_dict.model.quant_conv.bias', one);
  const open = () => openAutoencoder(workspace, 'sdvae_f8c4', { weights: file, where: 'x.ckpt', config });
  expect(open).toThrow(
    'x.ckpt: the tensors do not fit: missing: decoder.conv_out.bias; not of this network: quant_conv',
  );
  await workspace.dispose();
});
