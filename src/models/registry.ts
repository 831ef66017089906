import {
  checkOptions,
  flag,
  group,
  number,
  type Option,
  type OptionGroup,
  type OptionsOf,
  oneOf,
  optional,
} from '../kernel/index.ts';
import type { VelocityNetwork } from '../nn/network.ts';
import { type DiTConfig, ModelError } from './config.ts';
import { type DDTOptions, ddt } from './ddt.ts';
import { type EDM2Options, edm2 } from './edm2.ts';
import { lightningdit } from './lightningdit.ts';
import { type SiTOptions, sit } from './sit.ts';
import { type TiTOptions, tit } from './tit.ts';
import type { UNetConfig } from './unet.ts';
import { type UNetPlusOptions, unetplus } from './unetplus.ts';

/** Sizes that every network has: those of the data. */
type DataSizes = Pick<DiTConfig, 'input_size' | 'in_channels' | 'num_classes'>;

/** Everything that decides a network; names are the reference's keys. What a class needs, and what it takes, the class says. */
export type ModelConfig = DataSizes &
  Partial<DiTConfig & TiTOptions & DDTOptions & UNetConfig & EDM2Options & UNetPlusOptions>;

const TIT_DEFAULTS: TiTOptions = {
  use_qknorm: true,
  use_swiglu: true,
  use_rope: true,
  use_rmsnorm: true,
  wo_shift: false,
  learn_sigma: false,
};

const sizes = {
  input_size: number,
  in_channels: number,
  num_classes: number,
  patch_size: number,
  hidden_size: number,
  depth: number,
  num_heads: number,
};
const dataSizes = { input_size: number, in_channels: number, num_classes: number };
const list: Option<number[]> & { readonly optional: false } = {
  values: 'an array of finite numbers',
  optional: false,
  wrong: (value, path) =>
    Array.isArray(value) && value.every((each) => Number.isFinite(each))
      ? undefined
      : { what: `${path} is no array of finite numbers`, fix: `give ${path} an array of finite numbers` },
};
const unet = {
  ...dataSizes,
  model_channels: optional(number),
  channel_mult: optional(list),
  channel_mult_emb: optional(number),
  channel_mult_noise: optional(number),
  num_blocks: optional(number),
  attn_resolutions: optional(list),
  dropout: optional(number),
  resample_filter: optional(list),
};
const outputs = { learn_sigma: optional(flag), two_times: optional(flag), guidance_input: optional(flag) };
const switches = {
  use_qknorm: optional(flag),
  use_swiglu: optional(flag),
  use_rope: optional(flag),
  use_rmsnorm: optional(flag),
  wo_shift: optional(flag),
  ...outputs,
};

/** A class of networks: the options that it reads, and how one is built. */
interface NetworkClass {
  readonly names: readonly string[];
  readonly options: OptionGroup;
  readonly make: (config: ModelConfig) => VelocityNetwork;
}

function networkClass<C extends DataSizes>(options: OptionsOf<C>, make: (config: C) => VelocityNetwork): NetworkClass {
  return { names: Object.keys(options), options: group<C>(options), make: make as NetworkClass['make'] };
}

/** Network classes by the reference's names. */
const CLASSES: { readonly [name: string]: NetworkClass } = {
  TiT: networkClass<DiTConfig & Partial<TiTOptions>>({ ...sizes, ...switches }, (config) =>
    tit({ ...TIT_DEFAULTS, ...config }),
  ),
  SiT: networkClass<DiTConfig & SiTOptions>({ ...sizes, ...outputs }, sit),
  LightningDiT: networkClass<DiTConfig & Partial<TiTOptions>>({ ...sizes, ...switches }, lightningdit),
  // The reference's DDT-XL has 22 of its 28 blocks in the encoder.
  DDT: networkClass<DiTConfig & Partial<DDTOptions>>({ ...sizes, num_encoder_blocks: optional(number) }, (config) =>
    ddt({ num_encoder_blocks: Math.round((config.depth * 22) / 28), ...config }),
  ),
  EDM2: networkClass<UNetConfig & EDM2Options>(
    {
      ...unet,
      label_balance: optional(number),
      concat_balance: optional(number),
      res_balance: optional(number),
      attn_balance: optional(number),
      channels_per_head: optional(number),
      clip_act: optional(number),
    },
    edm2,
  ),
  'UNet+': networkClass<UNetConfig & UNetPlusOptions>(
    {
      ...unet,
      embedding_type: optional(oneOf('positional', 'fourier')),
      encoder_type: optional(oneOf('standard', 'skip', 'residual')),
      decoder_type: optional(oneOf('standard', 'skip')),
    },
    unetplus,
  ),
};

/** Named sizes: a class, and the sizes that do not follow from the data. S to 1p6B are the reference's; tiny and mnist are ours. */
const SIZES: { [size: string]: { hidden_size: number; depth: number; num_heads: number } } = {
  tiny: { hidden_size: 64, depth: 4, num_heads: 4 },
  small: { hidden_size: 128, depth: 6, num_heads: 4 },
  mnist: { hidden_size: 192, depth: 6, num_heads: 3 },
  S: { hidden_size: 384, depth: 12, num_heads: 6 },
  B: { hidden_size: 768, depth: 12, num_heads: 12 },
  L: { hidden_size: 1024, depth: 24, num_heads: 16 },
  XL: { hidden_size: 1152, depth: 28, num_heads: 16 },
  '1p0B': { hidden_size: 1536, depth: 24, num_heads: 24 },
  '1p6B': { hidden_size: 1792, depth: 28, num_heads: 28 },
};

const TRANSFORMERS = ['TiT', 'SiT', 'LightningDiT', 'DDT'];

const PATCHES = [1, 2, 4, 7, 8];

/** Convolutional networks by name: a class and its options. EDM2's sizes are by model_channels; DDPM++ is UNet+ as it is. */
const CONVOLUTIONAL: { readonly [name: string]: { readonly class_: string } & Partial<ModelConfig> } = {
  ...Object.fromEntries(
    Object.entries({ XS: 128, S: 192, M: 256, L: 320, XL: 384, XXL: 448 }).map(([size, model_channels]) => [
      `EDM2-${size}`,
      { class_: 'EDM2', model_channels },
    ]),
  ),
  'UNet+': { class_: 'UNet+' },
  'DDPM++': { class_: 'UNet+' },
  'NCSN++': {
    class_: 'UNet+',
    embedding_type: 'fourier',
    channel_mult_noise: 2,
    encoder_type: 'residual',
    resample_filter: [1, 3, 3, 1],
  },
};

/**
 * What a model name stands for: its class, sizes and patch size. `TiT-S/2`, `SiT-B/4`; `tiny`, `small` and `mnist` are TiT/4;
 * `EDM2-XS` to `EDM2-XXL`, `UNet+`, `DDPM++`, `NCSN++`, after which `/1` may stand. @throws ModelError.
 */
export function namedModel(name: string): { class_: string } & Partial<ModelConfig> {
  const plain = name.replace(/\/1$/, '');
  const convolutional = Object.hasOwn(CONVOLUTIONAL, plain) ? CONVOLUTIONAL[plain] : undefined;
  if (convolutional) return { ...convolutional };
  const match = /^(?:(\w+)-)?(\w+?)(?:\/(\d+))?$/.exec(name);
  const [class_, size, patch] = [match?.[1] ?? 'TiT', SIZES[match?.[2] ?? ''], Number(match?.[3] ?? 4)];
  if (!match || !TRANSFORMERS.includes(class_) || !size || !PATCHES.includes(patch)) {
    throw new ModelError(
      `model ${name} does not exist`,
      `use CLASS-SIZE/PATCH with class ${TRANSFORMERS.join(', ')}, size ${Object.keys(SIZES).join(', ')}, patch ${PATCHES.join(', ')}; just a size; or ${Object.keys(CONVOLUTIONAL).join(', ')}`,
    );
  }
  return { class_, ...size, patch_size: patch };
}

/** Builds a network of a class. @throws ModelError for an unknown class, an option it has not, or sizes that do not fit together. */
export function createNetwork(class_: string, config: ModelConfig): VelocityNetwork {
  const found = Object.hasOwn(CLASSES, class_) ? CLASSES[class_] : undefined;
  if (!found)
    throw new ModelError(`network class ${class_} does not exist`, `use one of ${Object.keys(CLASSES).join(', ')}`);
  refuseForeign(class_, found, config);
  checkOptions(found.options, config, (what, fix) => new ModelError(`${class_}: ${what}`, fix));
  return found.make(config);
}

/** An option of another class would do nothing: it is refused by the classes that have it. */
function refuseForeign(class_: string, { names }: NetworkClass, config: ModelConfig | undefined): void {
  for (const option of Object.keys(config ?? {})) {
    const others = Object.keys(CLASSES).filter((name) => CLASSES[name]?.names.includes(option));
    if (others.length === 0 || names.includes(option)) continue;
    const fix = `leave it out, or use ${others.join(', ')}; its options are: ${names.join(', ')}`;
    throw new ModelError(`${class_}: has no option ${option}`, fix);
  }
}
