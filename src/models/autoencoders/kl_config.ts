import { ModelError } from '../config.ts';
import { type ConfigReader, readConfig } from './config_reader.ts';
import type { KLSizes } from './kl.ts';

/** SD-VAE's sizes: f8, 4 latent channels. */
export const SD_VAE: KLSizes = {
  widths: [128, 256, 512, 512],
  blocks: 2,
  latentChannels: 4,
  encoderAttention: [],
  decoderAttention: [],
  midAttention: true,
  quantised: true,
  postQuantised: true,
  groups: 32,
};

/** VA-VAE's and E2E-VAE's: f16, 32 latent channels, attention where pictures of 256 are of 16. */
export const VA_VAE: KLSizes = {
  ...SD_VAE,
  widths: [128, 128, 256, 256, 512],
  latentChannels: 32,
  encoderAttention: [4],
  decoderAttention: [4],
};

/**
 * The sizes that a configuration states: diffusers' config.json of an AutoencoderKL, or ldm's `ddconfig` with `embed_dim`, in one object or
 * `params` of another. @throws ModelError for one of something else.
 */
export function klSizes(config: unknown, where: string): KLSizes {
  const given = readConfig(config, where);
  if (given.has('block_out_channels')) return ofDiffusers(given, where);
  if (given.has('ch_mult')) return ofLdm(given);
  throw new ModelError(
    `${where}: the configuration has neither block_out_channels nor ch_mult`,
    'give the config.json of an AutoencoderKL, or leave it away',
  );
}

function ofDiffusers(given: ConfigReader, where: string): KLSizes {
  const widths = given.numbers('block_out_channels');
  const attention = (key: string, plain: string, attended: string) => {
    const types = given.words(key, () => widths.map(() => plain));
    const unknown = types.find((type) => type !== plain && type !== attended);
    if (unknown !== undefined || types.length !== widths.length)
      throw new ModelError(
        `${where}: ${key} is ${types}`,
        `give ${widths.length} of ${plain} and ${attended}: no others are known`,
      );
    return types.flatMap((type, i) => (type === attended ? [i] : []));
  };
  const up = attention('up_block_types', 'UpDecoderBlock2D', 'AttnUpDecoderBlock2D');
  return {
    widths,
    blocks: given.number('layers_per_block', 1),
    latentChannels: given.number('latent_channels', 4),
    encoderAttention: attention('down_block_types', 'DownEncoderBlock2D', 'AttnDownEncoderBlock2D'),
    decoderAttention: up.map((i) => widths.length - 1 - i),
    midAttention: given.flag('mid_block_add_attention', true),
    quantised: given.flag('use_quant_conv', true),
    postQuantised: given.flag('use_post_quant_conv', true),
    groups: given.number('norm_num_groups', 32),
  };
}

function ofLdm(given: ConfigReader): KLSizes {
  const mults = given.numbers('ch_mult');
  const ch = given.number('ch');
  const side = given.number('resolution', 256);
  const attended = given.numbers('attn_resolutions', () => []);
  const levels = mults.flatMap((_, level) => (attended.includes(Math.floor(side / 2 ** level)) ? [level] : []));
  const latentChannels = given.number('embed_dim', given.number('z_channels', 4));
  return {
    widths: mults.map((mult) => ch * mult),
    blocks: given.number('num_res_blocks'),
    latentChannels,
    innerChannels: given.number('z_channels', latentChannels),
    encoderAttention: levels,
    decoderAttention: levels,
    midAttention: true,
    quantised: given.flag('use_quant_conv', true),
    postQuantised: given.flag('use_post_quant_conv', true),
    groups: given.number('groups', 32),
  };
}
