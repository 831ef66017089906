import { expect, it } from 'vitest';
import type { Architecture } from '../../src/models/autoencoders/architecture.ts';
import { dcAutoencoder } from '../../src/models/autoencoders/dcae.ts';
import { DC_AE_IN, DC_AE_SANA, dcForm, dcSizes } from '../../src/models/autoencoders/dcae_config.ts';
import { dcNaming } from '../../src/models/autoencoders/dcae_names.ts';
import { klAutoencoder } from '../../src/models/autoencoders/kl.ts';
import { klSizes, SD_VAE, VA_VAE } from '../../src/models/autoencoders/kl_config.ts';
import { klNaming } from '../../src/models/autoencoders/kl_names.ts';
import { openAutoencoder } from '../../src/models/autoencoders/registry.ts';
import { statedScale } from '../../src/models/autoencoders/stated_scale.ts';
import { taef2 } from '../../src/models/autoencoders/taef2.ts';
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

it('the published sizes have as many parameters as are stated', () => {
  const millions = ({ tensors }: Architecture, side: string) => {
    const own = tensors.flatMap(({ of }) => of).filter(({ name }) => name.startsWith(side));
    const distinct = new Map(own.map(({ name, shape }) => [name, name.includes('running') ? 0 : count(shape)]));
    return Math.round([...distinct.values()].reduce((sum, n) => sum + n, 0) / 1e4) / 100;
  };
  const both = (architecture: Architecture) => ['decoder', 'encoder'].map((side) => millions(architecture, side));
  expect(both(klAutoencoder(SD_VAE))).toEqual([49.49, 34.16]);
  expect(both(klAutoencoder(VA_VAE))).toEqual([41.42, 28.41]);
  expect(both(dcAutoencoder(DC_AE_IN))).toEqual([200.18, 123.17]);
  expect(both(taef2)).toEqual([1.34, 1.34]);
});

it('sizes of a deep compression autoencoder come from the configuration, or from what a file holds', () => {
  const config = {
    ...{
      latent_channels: 32,
      attention_head_dim: 32,
      downsample_block_type: 'Conv',
      upsample_block_type: 'interpolate',
    },
    ...{ encoder_block_out_channels: WIDTHS, decoder_block_out_channels: WIDTHS },
    ...{ encoder_layers_per_block: [2, 2, 2, 3, 3, 3], decoder_layers_per_block: [3, 3, 3, 3, 3, 3] },
    ...{
      encoder_block_types: TYPES,
      decoder_block_types: TYPES,
      decoder_norm_types: 'rms_norm',
      decoder_act_fns: 'silu',
    },
    ...{ encoder_qkv_multiscales: SCALES, decoder_qkv_multiscales: SCALES },
  };
  expect(dcSizes(config, 'c')).toEqual(DC_AE_SANA);
  const levels = (three: string, others: string) => [three, three, three, others, others, others];
  const block_type = levels('ResBlock', 'EViT_GLU');
  const encoder = { block_type, width_list: WIDTHS, depth_list: [0, 4, 8, 2, 2, 2] };
  const decoder = {
    ...{ block_type, width_list: WIDTHS, depth_list: [0, 5, 10, 2, 2, 2] },
    ...{ norm: levels('bn2d', 'trms2d'), act: levels('relu', 'silu') },
  };
  expect(dcSizes({ latent_channels: 32, encoder, decoder }, 'c')).toEqual(DC_AE_IN);
  expect(dcForm(new Set(['decoder.stages.3.op_list.0.context_module.main.aggreg.0.0.weight']))).toBe(DC_AE_SANA);
  expect(dcForm(new Set(['decoder.stages.3.op_list.0.context_module.main.qkv.conv.weight']))).toBe(DC_AE_IN);
  const wrong = { ...config, encoder_qkv_multiscales: [[3, 5]] };
  expect(() => dcSizes(wrong, 'c.json')).toThrow('c.json: queries are gathered at scales of 3,5');
  expect(() => dcSizes({ ...config, decoder_act_fns: 'gelu' }, 'c.json')).toThrow('decoder_act_fns has gelu');
});

const WIDTHS = [128, 256, 512, 512, 1024, 1024];
const TYPES = ['ResBlock', 'ResBlock', 'ResBlock', 'EfficientViTBlock', 'EfficientViTBlock', 'EfficientViTBlock'];
const SCALES = [[], [], [], [5], [5], [5]];

it('diffusers has its own names for deep compression autoencoders', () => {
  const named = dcNaming(new Set(['encoder.down_blocks.0.0.conv1.weight']));
  const pairs = [
    ['encoder.project_in.conv.conv.weight', 'encoder.conv_in.conv.weight'],
    ['encoder.project_in.conv.bias', 'encoder.conv_in.bias'],
    ['encoder.stages.1.op_list.4.main.conv.conv.weight', 'encoder.down_blocks.1.4.conv.weight'],
    ['encoder.stages.1.op_list.2.main.conv.bias', 'encoder.down_blocks.1.2.conv.bias'],
    ['decoder.stages.0.op_list.1.main.conv2.norm.weight', 'decoder.up_blocks.0.1.norm.weight'],
    ['decoder.project_out.op_list.2.conv.conv.bias', 'decoder.conv_out.conv.bias'],
    ['decoder.project_out.op_list.0.weight', 'decoder.norm_out.weight'],
    ['encoder.project_out.main.op_list.0.conv.weight', 'encoder.conv_out.weight'],
  ] as const;
  for (const [own, diffusers] of pairs)
    expect(named({ name: own, shape: [] })).toEqual([{ name: diffusers, shape: [] }]);
  const qkv = { name: 'decoder.stages.5.op_list.0.context_module.main.qkv.conv.weight', shape: [96, 32, 1, 1] };
  expect(named(qkv)).toEqual(
    ['q', 'k', 'v'].map((part) => ({ name: `decoder.up_blocks.5.0.attn.to_${part}.weight`, shape: [32, 32, 1, 1] })),
  );
});

it('a configuration may say how latents are scaled', () => {
  const scale = (config: unknown) => statedScale(config, 2, 'c.json');
  expect(scale({ latents_mean: [1, 2], latents_std: [3, 4], scaling_factor: 1 })).toEqual({
    ...{ mean: [1, 2], std: [3, 4], multiplier: 1 },
  });
  expect(scale({ latents_mean: [[[[1]], [[2]]]], latents_std: [3, 4] })?.mean).toEqual([1, 2]);
  expect(scale({ scaling_factor: 0.41407 })).toEqual({ mean: [0, 0], std: [1, 1], multiplier: 0.41407 });
  expect(scale({ scaling_factor: 0.5, shift_factor: 0.1 })?.mean).toEqual([0.1, 0.1]);
  for (const nothing of [undefined, {}, { latents_mean: null, latents_std: null }])
    expect(scale(nothing)).toBeUndefined();
  expect(() => scale({ latents_mean: [1], latents_std: [1] })).toThrow("c.json: the configuration's latents_mean");
  expect(() => scale({ scaling_factor: 0 })).toThrow('scaling_factor');
});
