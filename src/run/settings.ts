import * as v from 'valibot';
import { writeYaml } from '../io/yaml.ts';
import type { ModelConfig } from '../models/registry.ts';
import { OPTIMIZER_TYPES, type OptimizerOptions } from '../optim/optimizer_options.ts';
import { RATE_DECAYS } from '../optim/rate.ts';
import { PRECISIONS } from '../tensor/index.ts';
import { END_TIMES, GUIDANCE_DRAWS, RESIDUALS, SCHEDULES } from '../ucgm/anystep_options.ts';
import { ENHANCED_STYLES, METHODS, type ObjectiveOptions } from '../ucgm/options.ts';
import type { SamplingOptions } from '../ucgm/schedule.ts';
import { TRANSPORTS, type TransportName } from '../ucgm/transport.ts';
import type { DataConfig, OuterConfig, PartialConfig, RunConfig, TrainConfig } from './config.ts';
import { ConfigError, readSettings, unknownKey } from './config_error.ts';

export type { DataConfig, PartialConfig, RunConfig, TrainConfig } from './config.ts';

export { ConfigError } from './config_error.ts';

/** An entry for every option that the library has, and no other: one that is forgotten here is an error of types. */
type Entries<Options> = { readonly [Key in keyof Options]-?: v.GenericSchema };

const real = v.pipe(v.number(), v.finite('give a finite number'));
const positive = v.pipe(real, v.gtValue(0));
const notNegative = v.pipe(real, v.minValue(0));
const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const belowOne = v.pipe(v.number(), v.minValue(0), v.ltValue(1));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const countOrNone = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** Larger ones are slips of the hand, and would be found out only when the memory is full. */
const upTo = (most: number, least = 1) => v.pipe(v.number(), v.safeInteger(), v.minValue(least), v.maxValue(most));
const pixels = upTo(2 ** 14);
const width = upTo(2 ** 16);
const blocks = upTo(2 ** 12);
const classes = upTo(2 ** 24, 0);
/** A multiplier a level of a U-net; each is half the size of the one before. */
const levels = v.pipe(v.array(width), v.minLength(1), v.maxLength(14));
const pair = (item: typeof share | typeof notNegative | typeof belowOne) => v.tuple([item, item]);
const triple = v.tuple([positive, positive, positive]);

/** Options of UCGM-T, the reference's keys; its spelling `weight_funcion` is read as weight_function. */
const transport = v.strictObject({
  transport_type: v.picklist(Object.keys(TRANSPORTS) as TransportName[]),
  consistc_ratio: share,
  consistc_start: v.optional(share),
  consistc_steps: v.optional(count),
  enhanced_ratio: real,
  scaled_cbl_eps: notNegative,
  ema_decay_rate: share,
  enhanced_style: v.optional(v.picklist(ENHANCED_STYLES)),
  enhanced_range: pair(share),
  time_dist_ctrl: triple,
  wt_cosine_loss: v.boolean(),
  weight_function: v.nullable(v.picklist(['Cosine', 'Ratio'])),
  lab_drop_ratio: share,
  method: v.optional(v.picklist(METHODS)),
  order: v.optional(count),
  step_ratio: v.optional(pair(share)),
  step_ratio_schedule: v.optional(v.picklist(SCHEDULES)),
  step_ratio_steps: v.optional(count),
  same_time_ratio: v.optional(share),
  end_time: v.optional(v.picklist(END_TIMES)),
  time_logit_normal: v.optional(v.tuple([real, real])),
  time_ends: v.optional(v.tuple([share, share, share])),
  guidance_scales: v.optional(v.tuple([positive, positive])),
  guidance_draw: v.optional(v.picklist(GUIDANCE_DRAWS)),
  guidance_from: v.optional(pair(share)),
  guidance_to: v.optional(pair(share)),
  residual: v.optional(v.picklist(RESIDUALS)),
  loss_power: v.optional(share),
  twin_ratios: v.optional(pair(share)),
  loss_eps: v.optional(positive),
  compat: v.optional(v.literal('reference')),
} satisfies Entries<ObjectiveOptions>);

/** Options of UCGM-S, the reference's keys. */
const sampling = v.strictObject({
  sampling_steps: upTo(10 ** 6),
  sampling_order: v.picklist([1, 2]),
  extrapol_ratio: notNegative,
  time_dist_ctrl: triple,
  rfba_gap_steps: pair(share),
  stochast_ratio: v.union([share, v.literal('Auto')]),
  cfg_scale: real,
  cfg_interval: pair(share),
  target_time: v.optional(v.picklist(['end', 'next', 'same'])),
  compat: v.optional(v.literal('reference')),
} satisfies Entries<SamplingOptions>);

/** What config.ts declares, to be checked. */
const schema = v.strictObject({
  model: v.strictObject({
    name: v.string(),
    input_size: v.optional(pixels),
    in_channels: v.optional(width),
    num_classes: v.optional(classes),
    patch_size: v.optional(pixels),
    hidden_size: v.optional(width),
    depth: v.optional(blocks),
    num_heads: v.optional(width),
    use_qknorm: v.optional(v.boolean()),
    use_swiglu: v.optional(v.boolean()),
    use_rope: v.optional(v.boolean()),
    use_rmsnorm: v.optional(v.boolean()),
    wo_shift: v.optional(v.boolean()),
    learn_sigma: v.optional(v.boolean()),
    two_times: v.optional(v.boolean()),
    guidance_input: v.optional(v.boolean()),
    num_encoder_blocks: v.optional(upTo(2 ** 12, 0)),
    model_channels: v.optional(width),
    channel_mult: v.optional(levels),
    channel_mult_emb: v.optional(width),
    channel_mult_noise: v.optional(width),
    num_blocks: v.optional(blocks),
    attn_resolutions: v.optional(v.array(pixels)),
    dropout: v.optional(belowOne),
    resample_filter: v.optional(v.array(real)),
    embedding_type: v.optional(v.picklist(['positional', 'fourier'])),
    encoder_type: v.optional(v.picklist(['standard', 'skip', 'residual'])),
    decoder_type: v.optional(v.picklist(['standard', 'skip'])),
    label_balance: v.optional(share),
    concat_balance: v.optional(share),
    res_balance: v.optional(share),
    attn_balance: v.optional(share),
    channels_per_head: v.optional(width),
    clip_act: v.optional(positive),
  } satisfies Entries<ModelConfig & { name: string }>),
  data: v.strictObject({
    name: v.string(),
    size: v.optional(pixels),
    flip: v.optional(v.boolean()),
    batch_size: upTo(2 ** 24),
    num_classes: v.optional(upTo(2 ** 24)),
    class_names: v.optional(v.array(v.string())),
    fingerprint: v.optional(v.string()),
    latent_norm: v.optional(v.boolean()),
    latent_multiplier: v.optional(positive),
    autoencoder: v.optional(v.string()),
    autoencoder_weights: v.optional(v.string()),
  } satisfies Entries<DataConfig>),
  transport,
  optimizer: v.strictObject({
    type: v.picklist(OPTIMIZER_TYPES),
    lr: positive,
    betas: pair(belowOne),
    weight_decay: notNegative,
    eps: v.optional(positive),
    matrix_lr: v.optional(positive),
    momentum: v.optional(belowOne),
    warmup_steps: v.optional(countOrNone),
    lr_decay: v.optional(v.picklist(RATE_DECAYS)),
    lr_decay_steps: v.optional(count),
    lr_final: v.optional(share),
  } satisfies Entries<OptimizerOptions>),
  train: v.strictObject({
    steps: count,
    seed: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32 - 1)),
    ema_decay: share,
    ema: v.optional(v.array(share)),
    max_grad_norm: v.nullable(positive),
    log_every: count,
    checkpoint_every: count,
    sample_every: countOrNone,
    keep_checkpoints: count,
    gradient_checkpointing: v.optional(v.boolean()),
    precision: v.optional(v.picklist(PRECISIONS)),
    accumulate: v.optional(count),
    wire: v.optional(v.picklist(['f32', 'bf16'])),
    local_steps: v.optional(count),
    outer: v.optional(
      v.strictObject({ lr: v.optional(positive), momentum: v.optional(belowOne) } satisfies Entries<OuterConfig>),
    ),
    memory_limit: v.optional(count),
  } satisfies Entries<TrainConfig>),
  sample: sampling,
} satisfies Entries<RunConfig>);

const SECTIONS = schema.entries as unknown as { [section: string]: { entries: { [key: string]: unknown } } };

/**
 * Reads YAML. @throws ConfigError with file and line for broken YAML, and for a key that does not exist, naming the nearest
 * that does.
 */
export function parseConfig(text: string, where: string): PartialConfig {
  return sectionsOf(readSettings(text, where), where);
}

/** The sections of a configuration that was read. @throws ConfigError for a key that does not exist. */
export function sectionsOf(value: unknown, where: string): PartialConfig {
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new ConfigError(where, 'holds no sections', `give ${Object.keys(SECTIONS).join(', ')}`);
  const out = value as { [section: string]: { [key: string]: unknown } };
  for (const [section, entries] of Object.entries(out)) {
    const known = SECTIONS[section]?.entries;
    if (!known) throw unknownKey(where, section, Object.keys(SECTIONS));
    if (typeof entries !== 'object' || entries === null || Array.isArray(entries)) {
      throw new ConfigError(where, `${section} is no section`, `give it keys: ${Object.keys(known).join(', ')}`);
    }
    if (section === 'transport' && 'weight_funcion' in entries) {
      entries.weight_function = entries.weight_funcion;
      delete entries.weight_funcion;
    }
    for (const key of Object.keys(entries))
      if (!(key in known))
        throw unknownKey(
          where,
          `${section}.${key}`,
          Object.keys(known).map((k) => `${section}.${k}`),
        );
  }
  return out as PartialConfig;
}

/** Later parts win, key by key. @throws ConfigError naming key, value and what is allowed. */
export function mergeConfig(where: string, ...parts: PartialConfig[]): RunConfig {
  const merged: { [section: string]: object } = {};
  for (const section of Object.keys(SECTIONS)) {
    merged[section] = Object.assign(
      {},
      ...parts.map((part) => withoutUndefined(part[section as keyof RunConfig] ?? {})),
    );
  }
  const result = v.safeParse(schema, merged);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const key = issue.path?.map((p) => p.key).join('.') ?? 'the configuration';
  throw new ConfigError(
    where,
    `${key} is ${typeof issue.input === 'number' ? issue.input : (JSON.stringify(issue.input) ?? 'missing')}`,
    `${issue.message.replace(/^Invalid [\w ]+: /, '')}`,
  );
}

/** YAML of a whole configuration; parseConfig reads it back. */
export function stringifyConfig(config: RunConfig): string {
  return writeYaml(config);
}

function withoutUndefined(entries: object): object {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined));
}
