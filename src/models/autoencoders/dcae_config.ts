import { ModelError } from '../config.ts';
import { type ConfigReader, readConfig } from './config_reader.ts';
import type { DCSizes, DCStage } from './dcae.ts';

const WIDTHS = [128, 256, 512, 512, 1024, 1024];
const HEAD = 32;
/** The stages from which on both published forms have attention. */
const ATTENTION_FROM = 3;

function stages(depths: readonly number[], rest: (level: number) => Partial<DCStage>): DCStage[] {
  return WIDTHS.map((width, level) => ({
    ...{ width, depth: depths[level] as number, norm: 'rms', act: 'silu' },
    block: level < ATTENTION_FROM ? 'res' : 'vit',
    ...rest(level),
  }));
}

/** dc-ae-f32c32-in-1.0 and mix-1.0. */
export const DC_AE_IN: DCSizes = {
  latentChannels: 32,
  encoder: stages([0, 4, 8, 2, 2, 2], () => ({})),
  decoder: stages([0, 5, 10, 2, 2, 2], (level) => (level < ATTENTION_FROM ? { norm: 'batch', act: 'relu' } : {})),
  down: 'unshuffle',
  up: 'shuffle',
  headDim: HEAD,
};

const scaled = (level: number) => (level < ATTENTION_FROM ? {} : { scale: 5 });

/** dc-ae-f32c32-sana-1.0. */
export const DC_AE_SANA: DCSizes = {
  latentChannels: 32,
  encoder: stages([2, 2, 2, 3, 3, 3], scaled),
  decoder: stages([3, 3, 3, 3, 3, 3], scaled),
  down: 'conv',
  up: 'nearest',
  headDim: HEAD,
};

/** The published form that a file's tensors are of. */
export function dcForm(names: ReadonlySet<string>): DCSizes {
  return [...names].some((name) => /\.(aggreg|to_qkv_multiscale)\./.test(name)) ? DC_AE_SANA : DC_AE_IN;
}

/** What types of blocks are called. */
const BLOCKS: { readonly [type: string]: Pick<DCStage, 'block' | 'scale'> } = {
  ResBlock: { block: 'res' },
  EfficientViTBlock: { block: 'vit' },
  EViT_GLU: { block: 'vit' },
  EViTS5_GLU: { block: 'vit', scale: 5 },
};
const NORMS: { readonly [type: string]: DCStage['norm'] } = {
  rms_norm: 'rms',
  trms2d: 'rms',
  batch_norm: 'batch',
  bn2d: 'batch',
};
const ACTS: { readonly [type: string]: DCStage['act'] } = { relu: 'relu', silu: 'silu' };

/**
 * The sizes that a configuration states: diffusers' config.json of an AutoencoderDC, or efficientvit's with an encoder and a decoder.
 * @throws ModelError for one of something else.
 */
export function dcSizes(config: unknown, where: string): DCSizes {
  const given = readConfig(config, where);
  if (given.has('encoder_block_out_channels')) return ofDiffusers(given, where);
  if (given.has('encoder') && given.has('decoder')) return ofEfficientViT(given, where);
  throw new ModelError(
    `${where}: the configuration has neither encoder_block_out_channels nor an encoder and a decoder`,
    'give the config.json of an AutoencoderDC, or leave it away',
  );
}

function ofDiffusers(given: ConfigReader, where: string): DCSizes {
  const side = (name: 'encoder' | 'decoder'): DCStage[] => {
    const widths = given.numbers(`${name}_block_out_channels`);
    const depths = given.numbers(`${name}_layers_per_block`);
    const each = (key: string, otherwise: string) => listOf(given, key, otherwise, widths.length);
    const types = each(`${name}_block_types`, 'ResBlock');
    const scales = given.any(`${name}_qkv_multiscales`);
    const norms = name === 'encoder' ? undefined : each('decoder_norm_types', 'rms_norm');
    const acts = name === 'encoder' ? undefined : each('decoder_act_fns', 'silu');
    return widths.map((width, level) => ({
      ...{ width, depth: depths[level] as number },
      ...known(BLOCKS, types[level], `${name}_block_types`, where),
      ...scaleOf(Array.isArray(scales) ? scales[level] : [], where),
      norm: norms ? known(NORMS, norms[level], 'decoder_norm_types', where) : 'rms',
      act: acts ? known(ACTS, acts[level], 'decoder_act_fns', where) : 'silu',
    }));
  };
  return {
    latentChannels: given.number('latent_channels', 32),
    encoder: side('encoder'),
    decoder: side('decoder'),
    down: given.word('downsample_block_type', 'pixel_unshuffle') === 'pixel_unshuffle' ? 'unshuffle' : 'conv',
    up: given.word('upsample_block_type', 'pixel_shuffle') === 'interpolate' ? 'nearest' : 'shuffle',
    headDim: given.number('attention_head_dim', HEAD),
  };
}

function ofEfficientViT(given: ConfigReader, where: string): DCSizes {
  const inner = { encoder: readConfig(given.any('encoder'), where), decoder: readConfig(given.any('decoder'), where) };
  const side = (name: 'encoder' | 'decoder'): DCStage[] => {
    const own = inner[name];
    const widths = own.numbers('width_list');
    const depths = own.numbers('depth_list');
    const each = (key: string, otherwise: string) => listOf(own, key, otherwise, widths.length);
    const [types, norms, acts] = [each('block_type', 'ResBlock'), each('norm', 'trms2d'), each('act', 'silu')];
    return widths.map((width, level) => ({
      ...{ width, depth: depths[level] as number },
      ...known(BLOCKS, types[level], `${name}.block_type`, where),
      norm: known(NORMS, norms[level], `${name}.norm`, where),
      act: known(ACTS, acts[level], `${name}.act`, where),
    }));
  };
  const unshuffles = inner.encoder.word('downsample_block_type', 'ConvPixelUnshuffle') === 'ConvPixelUnshuffle';
  const shuffles = inner.decoder.word('upsample_block_type', 'ConvPixelShuffle') === 'ConvPixelShuffle';
  return {
    latentChannels: given.number('latent_channels', 32),
    encoder: side('encoder'),
    decoder: side('decoder'),
    down: unshuffles ? 'unshuffle' : 'conv',
    up: shuffles ? 'shuffle' : 'nearest',
    headDim: HEAD,
  };
}

/** Words for each level, or one for all. */
function listOf(given: ConfigReader, key: string, otherwise: string, levels: number): readonly string[] {
  const value = given.any(key);
  if (value === undefined || typeof value === 'string') return Array(levels).fill(value ?? otherwise);
  return given.words(key, () => []);
}

/** @throws ModelError for a type that there is not. */
function known<T>(types: { readonly [type: string]: T }, type: string | undefined, key: string, where: string): T {
  const found = type !== undefined && Object.hasOwn(types, type) ? types[type] : undefined;
  if (found !== undefined) return found;
  throw new ModelError(`${where}: ${key} has ${type}`, `give one of ${Object.keys(types).join(', ')} for each level`);
}

/** @throws ModelError for more than one scale: none of the published forms has it. */
function scaleOf(scales: unknown, where: string): { scale?: number } {
  if (!Array.isArray(scales) || scales.length === 0) return {};
  const [scale] = scales;
  if (scales.length === 1 && Number.isInteger(scale) && scale % 2 === 1) return { scale };
  throw new ModelError(`${where}: queries are gathered at scales of ${scales}`, 'give one odd number, or none');
}
