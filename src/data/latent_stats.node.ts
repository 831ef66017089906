import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { IoError } from '../io/errors.ts';
import { readSafetensors, writeSafetensorsAtomic } from '../io/safetensors.node.ts';
import { type Safetensors, toFloat32 } from '../io/safetensors.ts';
import { DataError } from './dataset.ts';
import { LATENT_STATS_FILE, type LatentShards } from './latent_shards.node.ts';
import { ChannelMoments, evenlySpread } from './latents.ts';

/** Mean and standard deviation of each channel, and of what they were measured. */
export interface LatentStats {
  /** [C]. */
  readonly mean: Float32Array<ArrayBuffer>;
  /** [C]. */
  readonly std: Float32Array<ArrayBuffer>;
  /** Samples that were measured; 0 for the statistics that change nothing. */
  readonly samples: number;
  /** LatentShards.fingerprint of the data. */
  readonly fingerprint: string;
}

/** Samples that are measured at most, as many as the reference takes. */
const MOST_SAMPLES = 10_000;
/** Samples held in memory at a time while measuring. */
const CHUNK = 64;

/** The statistics of latents that are not to be normalised: mean 0, standard deviation 1. */
export function unitStats(shards: LatentShards): LatentStats {
  const { channels, fingerprint } = shards;
  return { mean: new Float32Array(channels), std: new Float32Array(channels).fill(1), samples: 0, fingerprint };
}

/**
 * The statistics of a folder's `latents`: from the file beside the shards, or measured and written there. A file of other
 * shards is measured again; one that cannot be read or written costs a warning.
 * @throws DataError for shards that cannot be read or have no deviation.
 */
export async function latentStats(shards: LatentShards): Promise<{ stats: LatentStats; warnings: string[] }> {
  const path = join(shards.path, LATENT_STATS_FILE);
  const warnings: string[] = [];
  const guarded = <T>(what: string, use: () => T): T | undefined => {
    try {
      return use();
    } catch (error) {
      if (!(error instanceof IoError || error instanceof DataError)) throw error;
      warnings.push(`${what}: ${error.message}`);
      return undefined;
    }
  };
  if (existsSync(path)) {
    const cached = guarded('measured the latents again', () => readLatentStats(path));
    if (cached?.fingerprint === shards.fingerprint && cached.mean.length === shards.channels)
      return { stats: cached, warnings };
    if (cached) warnings.push(`${path} does not belong to these shards: measured the latents again`);
  }
  const stats = await measure(shards);
  guarded('the statistics of the latents are not kept', () => writeLatentStats(path, stats));
  return { stats, warnings };
}

/** Reads statistics that writeLatentStats wrote. @throws IoError or DataError naming the path. */
export function readLatentStats(path: string): LatentStats {
  const file = readSafetensors(path);
  const mean = channelsOf(file, 'mean', path);
  const std = channelsOf(file, 'std', path);
  if (mean.length !== std.length || !mean.every(Number.isFinite) || !std.every((s) => s > 0 && s < Infinity)) {
    throw new DataError(`${path} holds no means and deviations`, 'remove the file');
  }
  return {
    mean,
    std,
    samples: Number(file.metadata.samples ?? 0),
    fingerprint: file.metadata.fingerprint ?? '',
  };
}

/** Writes statistics as tensors mean and std, [1, C, 1, 1] as the reference keeps them. @throws IoError. */
export function writeLatentStats(path: string, { mean, std, samples, fingerprint }: LatentStats): void {
  const shape = [1, mean.length, 1, 1];
  writeSafetensorsAtomic(
    path,
    [
      ['mean', { shape, data: mean }],
      ['std', { shape, data: std }],
    ],
    { samples: String(samples), fingerprint },
  );
}

function channelsOf(file: Safetensors, name: string, path: string): Float32Array<ArrayBuffer> {
  const tensor = file.tensors.get(name);
  if (!tensor) throw new DataError(`${path} has no tensor ${name}`, 'remove the file');
  return toFloat32(tensor);
}

async function measure(shards: LatentShards): Promise<LatentStats> {
  const { path, channels, height, width, fingerprint } = shards;
  const moments = new ChannelMoments(channels);
  const chosen = evenlySpread(shards.size, MOST_SAMPLES);
  const values = new Float32Array(Math.min(CHUNK, chosen.length) * channels * height * width);
  for (let at = 0; at < chosen.length; at += CHUNK) {
    const indices = chosen.subarray(at, at + CHUNK);
    const part = values.subarray(0, indices.length * channels * height * width);
    await shards.read(indices, () => false, part);
    moments.add(part, height * width);
  }
  const { mean, std } = moments.result();
  const flat = std.findIndex((s) => !(s > 0 && s < Infinity));
  if (flat >= 0) {
    throw new DataError(
      `${path}: channel ${flat} of the latents has standard deviation ${std[flat]}`,
      'check the latents, or set data.latent_norm to false',
    );
  }
  return { mean, std, samples: chosen.length, fingerprint };
}
