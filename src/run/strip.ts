import type { VelocityNetwork, Weights } from '../nn/network.ts';
import type { Workspace } from '../tensor/index.ts';
import type { PicturedLatents } from './decoder.ts';
import { gridColumns, type Sampled, sampleImages } from './samples.ts';
import type { RunConfig } from './settings.ts';

/** Sampling steps of a strip's rows, from the top. */
export const STRIP_STEPS: readonly number[] = [1, 2, 4, 8, 20];

export interface StripControl {
  /** The run's latents, if it was trained on such. */
  readonly latents?: PicturedLatents;
  /** Ends the sampling within a step; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Samples the same noise at several numbers of steps, a row for each, a column a class. */
export async function drawStrip(
  workspace: Workspace,
  network: VelocityNetwork,
  weights: Weights,
  config: RunConfig,
  { latents, signal }: StripControl = {},
): Promise<Sampled> {
  const request = { count: gridColumns(network), seed: config.train.seed, ...(signal && { signal }) };
  const rows: Sampled[] = [];
  for (const sampling_steps of STRIP_STEPS) {
    const stepped = { ...config, sample: { ...config.sample, sampling_steps } };
    rows.push(await sampleImages(workspace, network, weights, stepped, request, latents));
  }
  const [first] = rows as [Sampled, ...Sampled[]];
  const { shape, columns, latents: isLatent } = first;
  const samples = new Float32Array(rows.length * first.samples.length);
  rows.forEach((row, i) => {
    samples.set(row.samples, i * first.samples.length);
  });
  const labels = Uint32Array.from(rows.flatMap((row) => [...row.labels]));
  return { samples, shape, labels, columns, latents: isLatent };
}
