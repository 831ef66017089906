import { ConfigError, unknownKey } from './config_error.ts';
import type { PartialConfig } from './settings.ts';

type Section = { [key: string]: unknown };

/** A configuration of the reference in our terms, and what of it has no counterpart here. */
export interface ReferenceConfig {
  readonly config: PartialConfig;
  /** One line each, to be shown. */
  readonly notes: readonly string[];
}

/** Where a key of the reference goes: a section and key of ours, or what to say of it; `false`: it means nothing here. */
type Target = readonly [section: string, key: string] | ((value: unknown, out: Translation) => void) | false;

const same = (section: string, ...keys: string[]): { [key: string]: Target } =>
  Object.fromEntries(keys.map((key) => [key, [section, key]]));

/** Identity autoencoders of the reference: its name for training on pixels. */
const IDENTITY = /^idae/;

/** Every key of the reference's files (LINs-lab/UCGM, configs/), by section. */
const KEYS: { [section: string]: { [key: string]: Target } } = {
  data: {
    data_path: ['data', 'name'],
    fid_reference_file: (value, out) => out.note(`data.fid_reference_file ${value}: give ucgm eval --features instead`),
    image_size: (value, out) => {
      out.imageSize = value;
    },
    num_classes: (value, out) => {
      out.set('data', 'num_classes', value);
      out.set('model', 'num_classes', value);
    },
    num_workers: false,
    latent_norm: ['data', 'latent_norm'],
    latent_multiplier: ['data', 'latent_multiplier'],
  },
  vae: {
    type: (value, out) => {
      if (IDENTITY.test(String(value))) out.pixels = true;
      else out.set('data', 'autoencoder', value);
    },
    downsample_ratio: (value, out) => {
      out.downsampling = value;
    },
  },
  model: { type: ['model', 'name'], in_chans: ['model', 'in_channels'] },
  train: {
    ckpt: (value, out) => {
      if (value === null || value === '') return;
      out.note(
        `train.ckpt ${value}: not read; make a run of it with ucgm convert, then ucgm tune --from, or train --resume`,
      );
    },
    no_reopt: false,
    no_reuni: false,
    no_buffer: false,
    max_steps: ['train', 'steps'],
    global_batch_size: ['data', 'batch_size'],
    global_seed: ['train', 'seed'],
    log_every: ['train', 'log_every'],
    ckpt_every: ['train', 'checkpoint_every'],
    ema_decay: ['train', 'ema_decay'],
  },
  optimizer: {
    ...same('optimizer', 'type', 'lr', 'weight_decay'),
    beta1: (value, out) => {
      out.betas[0] = value;
    },
    beta2: (value, out) => {
      out.betas[1] = value;
    },
    max_grad_norm: ['train', 'max_grad_norm'],
  },
  transport: {
    type: ['transport', 'transport_type'],
    ...same(
      'transport',
      ...['lab_drop_ratio', 'consistc_ratio', 'enhanced_ratio', 'scaled_cbl_eps', 'ema_decay_rate', 'enhanced_range'],
      ...['time_dist_ctrl', 'wt_cosine_loss'],
    ),
    weight_funcion: ['transport', 'weight_function'],
    weight_function: ['transport', 'weight_function'],
  },
  sample: {
    ckpt: false,
    type: (value, out) => {
      if (value !== 'UNI' && value !== 'ODE') throw out.refuse('sample.type', value, 'use UNI or ODE');
      out.plainOde = value === 'ODE';
    },
    // The reference guides from above 0 on; here a scale of 1 is none.
    cfg_scale: (value, out) => out.set('sample', 'cfg_scale', value === 0 ? 1 : value),
    ...same('sample', 'cfg_interval', 'sampling_steps', 'stochast_ratio', 'extrapol_ratio', 'sampling_order'),
    ...same('sample', 'time_dist_ctrl', 'rfba_gap_steps'),
    per_batch_size: false,
    fid_sample_num: false,
  },
};

/** Collects what the keys say; some only make sense together. */
class Translation {
  readonly where: string;
  readonly config: { [section: string]: Section } = {};
  readonly notes: string[] = [];
  imageSize: unknown;
  downsampling: unknown;
  betas: [unknown, unknown] = [undefined, undefined];
  pixels = false;
  plainOde = false;

  constructor(where: string) {
    this.where = where;
  }

  set(section: string, key: string, value: unknown): void {
    this.config[section] ??= {};
    (this.config[section] as Section)[key] = value;
  }

  note(line: string): void {
    this.notes.push(`${this.where}: ${line}`.replace(/[\r\n\u2028\u2029]+/g, ' '));
  }

  refuse(key: string, value: unknown, fix: string): ConfigError {
    return new ConfigError(this.where, `${key} is ${JSON.stringify(value)?.slice(0, 80)}`, fix);
  }

  finish(): ReferenceConfig {
    const { imageSize, downsampling = 1, betas } = this;
    if (imageSize !== undefined) {
      const size = Number(imageSize) / Number(downsampling);
      if (!Number.isInteger(size) || size < 1)
        throw this.refuse('data.image_size', imageSize, `give a multiple of vae.downsample_ratio (${downsampling})`);
      this.set('model', 'input_size', size);
    }
    if (betas.some((beta) => beta !== undefined)) {
      if (betas.some((beta) => beta === undefined)) throw this.refuse('optimizer.beta1, beta2', betas, 'give both');
      this.set('optimizer', 'betas', betas);
    }
    const { data, transport } = this.config;
    if (this.pixels && data) {
      if (data.latent_norm === true || (data.latent_multiplier ?? 1) !== 1)
        this.note('data.latent_norm and latent_multiplier: left out, images are not scaled here');
      delete data.latent_norm;
      delete data.latent_multiplier;
    }
    if (transport?.weight_function === 'None') transport.weight_function = null;
    if (this.plainOde) {
      for (const key of ['stochast_ratio', 'extrapol_ratio']) this.set('sample', key, 0);
      this.set('sample', 'time_dist_ctrl', [1, 1, 1]);
      this.set('sample', 'rfba_gap_steps', [0.001, 0.001]);
    }
    return { config: this.config as PartialConfig, notes: this.notes };
  }
}

/** True for a file in the reference's terms: those of its keys that are not ours. */
export function isReferenceConfig(value: unknown): value is { [section: string]: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const has = (section: string, ...keys: string[]) => {
    const entries = (value as Section)[section];
    return typeof entries === 'object' && entries !== null && keys.some((key) => key in entries);
  };
  return (
    'vae' in value ||
    'output_dir' in value ||
    has('model', 'type', 'in_chans') ||
    has('data', 'data_path', 'image_size') ||
    has('train', 'max_steps', 'global_batch_size') ||
    has('transport', 'type')
  );
}

/**
 * A configuration of the reference, its keys and spelling as they are, in our terms. Its output_dir is left to --out.
 * @throws ConfigError for a key that it does not have, naming the nearest, and for parts that are not supported, by name.
 */
export function fromReferenceConfig(value: { [section: string]: unknown }, where: string): ReferenceConfig {
  const out = new Translation(where);
  for (const [section, entries] of Object.entries(value)) {
    if (section === 'output_dir') continue;
    const known = Object.hasOwn(KEYS, section) ? KEYS[section] : undefined;
    if (!known) throw unknownKey(where, section, [...Object.keys(KEYS), 'output_dir']);
    if (typeof entries !== 'object' || entries === null || Array.isArray(entries))
      throw new ConfigError(where, `${section} is no section`, `give it keys: ${Object.keys(known).join(', ')}`);
    for (const [key, entry] of Object.entries(entries)) {
      if (!Object.hasOwn(known, key)) {
        const names = Object.keys(known).map((k) => `${section}.${k}`);
        throw unknownKey(where, `${section}.${key}`, names);
      }
      const target = known[key] as Target;
      if (typeof target === 'function') target(entry, out);
      else if (target) out.set(target[0], target[1], entry);
    }
  }
  return out.finish();
}
