import { OBJECTIVE_DEFAULTS } from '../ucgm/options.ts';
import { SAMPLING_DEFAULTS } from '../ucgm/schedule.ts';
import { closest } from './closest.ts';
import { ConfigError, type PartialConfig } from './settings.ts';

/** The reference's multi-step objective. */
const TRANSPORT = { ...OBJECTIVE_DEFAULTS, enhanced_ratio: 0.47 } as PartialConfig['transport'];
const SAMPLE = { ...SAMPLING_DEFAULTS } as PartialConfig['sample'];

/** Muon by its published rate, falling to nearly nothing in the last step. */
const MUON = {
  type: 'Muon',
  lr: 1e-3,
  betas: [0.9, 0.95],
  weight_decay: 0,
  matrix_lr: 0.02,
  lr_decay: 'cosine',
  lr_final: 0.02,
} satisfies PartialConfig['optimizer'];

/** Minutes on a CPU adapter: digits that a person reads. */
const TINY = {
  model: { name: 'tiny' },
  data: { name: 'digits', batch_size: 32 },
  // Without the cosine weight, and with more times near the noise end, a short run learns where strokes go first.
  transport: {
    ...TRANSPORT,
    enhanced_ratio: 0,
    wt_cosine_loss: false,
    weight_function: null,
    time_dist_ctrl: [1.5, 1, 1],
  },
  optimizer: { type: 'AdamW', lr: 4e-3, betas: [0.9, 0.95], weight_decay: 0 },
  train: {
    steps: 1200,
    seed: 0,
    ema_decay: 0.99,
    max_grad_norm: null,
    log_every: 10,
    checkpoint_every: 200,
    sample_every: 300,
    keep_checkpoints: 2,
  },
  sample: { ...SAMPLE, cfg_scale: 2 },
} satisfies PartialConfig;

/** A network of two times, in what both methods for it have in common. */
const ANY_STEPS = {
  model: { name: 'tiny', two_times: true },
  data: { name: 'digits', batch_size: 32 },
  optimizer: { type: 'AdamW', lr: 2e-3, betas: [0.9, 0.95], weight_decay: 0 },
  train: {
    steps: 3000,
    seed: 0,
    ema_decay: 0.99,
    max_grad_norm: null,
    log_every: 10,
    checkpoint_every: 500,
    sample_every: 0,
    keep_checkpoints: 2,
  },
  sample: { ...SAMPLE, sampling_steps: 4, target_time: 'next', rfba_gap_steps: [0.001, 0] }, // equal steps to time 0
} satisfies PartialConfig;

/** The setting in which the reference was trained on MNIST, padded to 32 x 32. */
const MNIST = {
  model: { name: 'mnist' },
  data: { name: 'digits', size: 32, batch_size: 256 },
  transport: { ...TRANSPORT, wt_cosine_loss: false },
  optimizer: { type: 'AdamW', lr: 5e-4, betas: [0.9, 0.95], weight_decay: 0 },
  train: {
    steps: 5000,
    seed: 0,
    ema_decay: 0.999,
    max_grad_norm: null,
    log_every: 50,
    checkpoint_every: 1000,
    sample_every: 1000,
    keep_checkpoints: 2,
  },
  sample: SAMPLE,
} satisfies PartialConfig;

/** What a phone's browser gives a page, 700 MB, less what the page itself needs: scripts, data, pipelines. */
const PHONE_BYTES = 500e6;

const PRESETS: { [name: string]: PartialConfig } = {
  tiny: TINY,
  /** The same within a phone's memory, whatever else is asked for: what does not fit is refused. Checkpoints come often, as tabs end there. */
  phone: {
    ...TINY,
    train: { ...TINY.train, memory_limit: PHONE_BYTES, checkpoint_every: 50, keep_checkpoints: 1 },
  },
  /** tiny in half of its steps: Muon, and a rate that falls to the end. */
  digits: {
    ...TINY,
    optimizer: { ...MUON, lr: 4e-3, warmup_steps: 30 },
    train: { ...TINY.train, steps: 600, ema_decay: 0.98, sample_every: 200 },
  },
  mnist: MNIST,
  /** The same by Muon, and a rate that falls to the end. */
  'mnist-muon': {
    ...MNIST,
    optimizer: { ...MUON, lr: 1e-3, warmup_steps: 200 },
    train: { ...MNIST.train, ema: [0.99, 0.995, 0.998] },
  },
  /** The reference's recipe from multi-step weights to a few-step model. */
  fewstep: {
    model: { name: 'tiny' },
    data: { name: 'digits', batch_size: 256 },
    transport: {
      ...TRANSPORT,
      consistc_ratio: 1,
      enhanced_ratio: 2,
      scaled_cbl_eps: 5,
      ema_decay_rate: 1,
      time_dist_ctrl: [0.8, 1, 1],
      wt_cosine_loss: false,
    },
    optimizer: { type: 'RAdam', lr: 1e-4, betas: [0.9, 0.999], weight_decay: 0 },
    train: {
      steps: 2500,
      seed: 0,
      ema_decay: 0.999,
      max_grad_norm: 0.1,
      log_every: 50,
      checkpoint_every: 500,
      sample_every: 500,
      keep_checkpoints: 2,
    },
    sample: { ...SAMPLE, sampling_steps: 2, stochast_ratio: 1, rfba_gap_steps: [0.001, 0.3] },
  },
  /** RCGM: one model for any number of steps. Made for tune: from scratch it takes many times the steps (docs/what-did-not-work.md). */
  anystep: {
    ...ANY_STEPS,
    transport: {
      ...TRANSPORT,
      method: 'RCGM',
      order: 2,
      enhanced_ratio: 0.5, // of its own teacher's guidance: it settles at a guidance of 1 / (1 - 0.5)
      ema_decay_rate: 0.99,
      wt_cosine_loss: false,
      weight_function: null,
    },
  },
  /** One model for any number of steps, from scratch: SoFlow's choices of method ANYSTEP for ImageNet, MeanFlow's times. */
  'anystep-soflow': {
    ...ANY_STEPS,
    transport: {
      ...TRANSPORT,
      method: 'ANYSTEP',
      step_ratio: [0.1, 0.002],
      same_time_ratio: 0.75,
      time_logit_normal: [-0.4, 1],
      residual: 'divided',
      loss_power: 1,
      loss_eps: 0.01,
      enhanced_ratio: 0.5, // of its own guidance, as in anystep
      enhanced_range: [0, 1],
      ema_decay_rate: 0, // (F- - F) / a of an average holds F back: docs/what-did-not-work.md
      wt_cosine_loss: false,
      weight_function: null,
    },
  },
  /** From multi-step weights to any number of steps, by method ANYSTEP. For tune. Choices by docs/results.md, "Less guidance". */
  'anystep-tune': {
    ...ANY_STEPS,
    transport: {
      ...TRANSPORT,
      method: 'ANYSTEP',
      enhanced_ratio: 0.15, // more is clearer and less varied, and farther from the data
      step_ratio: [0.1, 0.004],
      same_time_ratio: 0.4,
      time_logit_normal: [0.4, 1.7], // nearly even in time, and later: one step asks at t = 1, s = 0
      residual: 'divided',
      loss_power: 0.25,
      loss_eps: 0.001,
      ema_decay_rate: 0,
      wt_cosine_loss: false,
      weight_function: null,
    },
    optimizer: { ...MUON, lr: 1e-3, matrix_lr: 0.01, warmup_steps: 100 },
    train: { ...ANY_STEPS.train, steps: 5000, ema_decay: 0.998, ema: [0.99, 0.995, 0.999] },
  },
  /** The reference's multi-step settings for latent images. */
  multistep: {
    model: { name: 'S/2' },
    data: { name: 'digits', batch_size: 1024 },
    transport: TRANSPORT,
    optimizer: { type: 'AdamW', lr: 2e-4, betas: [0.9, 0.95], weight_decay: 0 },
    train: {
      steps: 100000,
      seed: 0,
      ema_decay: 0.9999,
      max_grad_norm: null,
      log_every: 50,
      checkpoint_every: 2000,
      sample_every: 2000,
      keep_checkpoints: 3,
    },
    sample: { ...SAMPLE, extrapol_ratio: 0.3, time_dist_ctrl: [1.17, 0.8, 1.1] },
  },
};

/** Every preset's name. */
export const PRESET_NAMES: readonly string[] = Object.keys(PRESETS);

/** Presets that go on from the weights of another model. */
const TUNINGS = ['fewstep', 'anystep', 'anystep-tune'];

/** Names of the presets that a training begins with. */
export const startingPresets = (): string[] => PRESET_NAMES.filter((name) => !TUNINGS.includes(name));

/** A preset by name. @throws ConfigError for an unknown one. */
export function presetNamed(name: string): PartialConfig {
  const preset = PRESETS[name];
  if (!preset)
    throw new ConfigError(
      `--preset ${name}`,
      'there is no such preset',
      `did you mean ${closest(name, PRESET_NAMES)}? There are ${PRESET_NAMES.join(', ')}`,
    );
  return preset;
}
