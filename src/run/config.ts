import type { ModelConfig } from '../models/registry.ts';
import type { OptimizerOptions } from '../optim/optimizer.ts';
import type { PassPrecision } from '../tensor/index.ts';
import type { ObjectiveOptions } from '../ucgm/options.ts';
import type { SamplingOptions } from '../ucgm/schedule.ts';
import type { TransportName } from '../ucgm/transport.ts';

/** What is trained on. */
export interface DataConfig {
  /** digits, shapes, or a folder of images or of latent shards; in a page the name of what was given. */
  name: string;
  /** Square size: a folder's images are resized and cropped to the centre; digits, shapes and idx files are padded. */
  size?: number | undefined;
  /** Images: mirror every other one, by chance (default: false). */
  flip?: boolean | undefined;
  batch_size: number;
  /** Classes, where the labels do not hold all of them; for latents their greatest label decides otherwise. */
  num_classes?: number | undefined;
  /** Names of the classes: a run keeps those of its images; for latents they may be given. */
  class_names?: string[] | undefined;
  /** Kept by a run: what its images were, to tell when they have changed. */
  fingerprint?: string | undefined;
  /** Latents: take each channel to mean 0 and standard deviation 1 (default: true). */
  latent_norm?: boolean | undefined;
  /** Latents: factor on the values after that (default: 1). */
  latent_multiplier?: number | undefined;
  /** Latents: key of the autoencoder that they are of, which makes pictures of samples. */
  autoencoder?: string | undefined;
  /** Its file of weights, where the key alone does not say which. */
  autoencoder_weights?: string | undefined;
}

/** The outer step of local steps. */
export interface OuterConfig {
  lr?: number | undefined;
  momentum?: number | undefined;
}

/** How long, and what is kept. */
export interface TrainConfig {
  steps: number;
  /** Of every random number, 0 to 2^32 - 1. */
  seed: number;
  /** Decay of the averaged weights. */
  ema_decay: number;
  /** Decays of further averages that are kept, to choose among when the training is over: `--average DECAY` (default: none). */
  ema?: number[] | undefined;
  /** Global norm to clip gradients to; null for none. */
  max_grad_norm: number | null;
  /** Steps between two looks at the metrics, between two checkpoints, and between two pictures of samples (0: none). */
  log_every: number;
  checkpoint_every: number;
  sample_every: number;
  /** The newest checkpoints that are kept. */
  keep_checkpoints: number;
  /** Keep of each block its inputs alone, and run it again in the backward: less memory (default: false). */
  gradient_checkpointing?: boolean | undefined;
  /** How passes compute: f32, f32x3, or mixed, with f16 activations and a loss scale (default: f32). */
  precision?: PassPrecision | undefined;
  /** Passes a step, each over some of the batch: less memory, the same step (default: 1). */
  accumulate?: number | undefined;
  /** What several ranks send their gradients as: bf16 is half the bytes, rounded to 8 bits (default: f32). */
  wire?: 'f32' | 'bf16' | undefined;
  /**
   * Steps that each rank takes by itself on its share of every batch, before all make an outer step of what they came to (default: none, so that
   * ranks average every step's gradients).
   */
  local_steps?: number | undefined;
  /** The outer step: SGD with Nesterov's momentum (default: lr 0.7, momentum 0.9). */
  outer?: OuterConfig | undefined;
  /** Bytes on the device that a training and its samplings may take together (default: what the device has). */
  memory_limit?: number | undefined;
}

/** Everything a run needs to be made again. */
export interface RunConfig {
  /** A name of src/models/registry.ts, and what differs from it; sizes of the data fill the rest. */
  model: Partial<ModelConfig> & { name: string };
  data: DataConfig;
  transport: Omit<ObjectiveOptions, 'transport_type'> & { transport_type: TransportName };
  optimizer: OptimizerOptions;
  train: TrainConfig;
  sample: SamplingOptions;
}

/** Some of a RunConfig: presets, files and command lines are merged into a whole one. */
export type PartialConfig = { [K in keyof RunConfig]?: Partial<RunConfig[K]> };
