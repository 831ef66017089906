import { wholeBatch } from '../rng/shard.ts';
import type { BatchOrder, DataBatch, ResizableBatches } from './batches.ts';
import { DataError } from './dataset.ts';
import { FilePool } from './file_pool.node.ts';
import type { LatentOrigin } from './latent_origin.ts';
import { LatentShards } from './latent_shards.node.ts';
import { type LatentStats, latentStats, unitStats } from './latent_stats.node.ts';
import { isFlipped, type LatentScale, normaliseLatents } from './latents.ts';
import { batchIndices, firstPosition } from './order.ts';
import { ReadAhead } from './read_ahead.ts';

/** Batches that are read before they are asked for. */
export const BATCHES_AHEAD = 3;

/** A scaling in numbers, [C] each. */
export interface FixedLatentScale {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly multiplier: number;
}

/** Which batches of latents, and how they are scaled. */
export interface LatentOptions extends BatchOrder {
  /** Take each channel to mean 0 and deviation 1 before the multiplier; true if left out. */
  readonly normalise?: boolean;
  /** 1 if left out. */
  readonly multiplier?: number;
  readonly classNames?: readonly string[];
  /** Statistics to use instead of the folder's: those that a run began with. */
  readonly stats?: LatentStats;
  /** The scaling that belongs to an autoencoder, by its key: taken where neither `normalise` nor `multiplier` is given. */
  readonly scaleOf?: (autoencoder: string) => FixedLatentScale | undefined;
}

/** Batches of latent shards, read from the disk ahead of their use. */
export class LatentBatches implements ResizableBatches {
  readonly name: string;
  readonly size: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly numClasses: number;
  readonly latents: LatentScale;
  readonly stats: LatentStats;
  /** What the shards say of how they were made. */
  readonly origin: LatentOrigin;
  readonly notice?: string;
  readonly fingerprint?: string;
  readonly classNames?: readonly string[];
  /** What went wrong on opening without being in the way. */
  readonly warnings: readonly string[];
  readonly #shards: LatentShards;
  readonly #options: LatentOptions;
  readonly #ahead: ReadAhead<DataBatch>;

  private constructor(shards: LatentShards, options: LatentOptions, stats: LatentStats, warnings: readonly string[]) {
    this.name = shards.name;
    this.size = shards.size;
    this.channels = shards.channels;
    this.height = shards.height;
    this.width = shards.width;
    this.numClasses = shards.numClasses;
    this.latents = { mean: stats.mean, std: stats.std, multiplier: options.multiplier ?? 1 };
    const classNames = options.classNames ?? shards.origin.classNames;
    if (classNames) this.classNames = classNames;
    this.origin = shards.origin;
    this.stats = stats;
    this.warnings = warnings;
    this.#shards = shards;
    this.#options = options;
    this.#ahead = new ReadAhead((step, signal) => this.#read(step, signal), BATCHES_AHEAD);
  }

  /** Opens a folder of shards. @throws DataError or IoError naming what does not fit. */
  static async open(path: string, options: LatentOptions, files = new FilePool()): Promise<LatentBatches> {
    const opened = await LatentShards.open(path, options.numClasses, files);
    try {
      const own = ownScale(opened, options);
      const { stats, warnings } = own ? { stats: own.stats, warnings: [] } : await statsOf(opened, options);
      if (stats.mean.length !== opened.channels) {
        throw new DataError(
          `${path} has latents of ${opened.channels} channels, the run's statistics ${stats.mean.length}`,
          "resume with the run's own data",
        );
      }
      return new LatentBatches(opened, own ? { ...options, multiplier: own.multiplier } : options, stats, warnings);
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  batch(step: number): Promise<DataBatch> {
    return this.#ahead.get(step);
  }

  ofSize(batchSize: number): LatentBatches {
    const options = { ...this.#options, batchSize, shard: wholeBatch(batchSize) };
    return new LatentBatches(this.#shards, options, this.stats, this.warnings);
  }

  async close(): Promise<void> {
    await this.#ahead.close();
    await this.#shards.close();
  }

  async #read(step: number, signal: AbortSignal): Promise<DataBatch> {
    const { seed, batchSize, shard } = this.#options;
    const { channels, height, width } = this;
    const x = new Float32Array(batchSize * channels * height * width);
    const indices = batchIndices(seed, this.size, step, batchSize, shard);
    const first = firstPosition(step, batchSize, shard);
    await this.#shards.read(indices, (i) => isFlipped(seed, first + i), x, signal);
    normaliseLatents(x, height * width, this.latents);
    return { x, labels: indices.map((index) => this.#shards.labels[index] as number) };
  }
}

async function statsOf(
  shards: LatentShards,
  { stats, normalise }: LatentOptions,
): Promise<{ stats: LatentStats; warnings: string[] }> {
  if (stats) {
    const changed = stats.fingerprint !== shards.fingerprint;
    return { stats, warnings: changed ? [`${shards.path}: the shards have changed since the run began`] : [] };
  }
  return normalise === false ? { stats: unitStats(shards), warnings: [] } : latentStats(shards);
}

/** The scaling of the shards' autoencoder, where it has one and the options say nothing of it. */
function ownScale(
  { origin, fingerprint }: LatentShards,
  { stats, normalise, multiplier, scaleOf }: LatentOptions,
): { stats: LatentStats; multiplier: number } | undefined {
  const given = stats !== undefined || normalise !== undefined || multiplier !== undefined;
  const scale = given || origin.autoencoder === undefined ? undefined : scaleOf?.(origin.autoencoder);
  if (!scale) return undefined;
  const [mean, std] = [Float32Array.from(scale.mean), Float32Array.from(scale.std)];
  return { stats: { mean, std, samples: 0, fingerprint }, multiplier: scale.multiplier };
}
