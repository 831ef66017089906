import { existsSync } from 'node:fs';
import { originMetadata } from '../data/latent_origin.ts';
import { readLatentStats } from '../data/latent_stats.node.ts';
import type { LatentScale } from '../data/latents.ts';
import { writeSafetensorsAtomic } from '../io/safetensors.node.ts';
import type { FolderStore } from '../run/folder_store.node.ts';
import type { Sampled } from '../run/samples.ts';
import type { RunConfig } from '../run/settings.ts';

/** How a run's latents were scaled, from its folder; undefined for a run on images. @throws IoError or DataError. */
export function latentScaleOf(run: FolderStore, config: RunConfig): LatentScale | undefined {
  if (!existsSync(run.latentStatsPath)) return undefined;
  const { mean, std } = readLatentStats(run.latentStatsPath);
  return { mean, std, multiplier: config.data.latent_multiplier ?? 1 };
}

/** Writes sampled latents [N, C, H, W] and their labels [N] for a decoder, in the format of a shard. @throws IoError. */
export function writeLatentSamples(
  path: string,
  { samples, shape, labels }: Sampled,
  autoencoder: string | undefined,
): void {
  const n = labels.length;
  writeSafetensorsAtomic(
    path,
    [
      ['latents', { shape: [n, ...shape], data: samples }],
      ['labels', { shape: [n], data: Int32Array.from(labels) }], // torch knows no arithmetic on u32
    ],
    originMetadata({ autoencoder }),
  );
}
