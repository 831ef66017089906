import { denormaliseLatents, type LatentScale } from '../data/latents.ts';
import { atomicWrite } from '../io/atomic.node.ts';
import type { RunConfig } from '../io/config.ts';
import { encodeGrid } from '../io/png.ts';
import type { VelocityNetwork, Weights } from '../nn/network.ts';
import type { Workspace } from '../tensor/index.ts';
import { draw } from './draw.ts';
import { latentPicture } from './latent_picture.ts';

export interface GridRequest {
  /** Images, of all classes in turn; default eight of each of the first 16 classes, or 64. */
  readonly count?: number;
  readonly seed?: number;
  /** One class for all; default all classes in turn. */
  readonly label?: number;
}

/** Samples of a run: images, or latents as a decoder takes them. */
export interface Sampled {
  /** [labels.length, ...shape]. */
  readonly samples: Float32Array<ArrayBuffer>;
  /** C, H, W. */
  readonly shape: readonly [number, number, number];
  readonly labels: Uint32Array<ArrayBuffer>;
  /** Images side by side in a grid: a class each. */
  readonly columns: number;
  /** Whether the samples are latents. */
  readonly latents: boolean;
  /** Passes through the network. */
  readonly nfe: number;
}

/** Samples a run's network. @param latents how the run's latents were scaled, if it was trained on such: undone here. */
export async function sampleImages(
  workspace: Workspace,
  network: VelocityNetwork,
  weights: Weights,
  config: RunConfig,
  request: GridRequest,
  latents?: LatentScale,
): Promise<Sampled> {
  const columns = gridColumns(network);
  const n = request.count ?? columns * 8;
  const kinds = request.count === undefined ? columns : network.numClasses; // a grid shows some classes, a count asks for all
  const labels = Uint32Array.from({ length: n }, (_, i) => request.label ?? (network.numClasses >= 2 ? i % kinds : 0));
  const seed = request.seed ?? config.train.seed;
  const { samples, nfe } = await draw(workspace, network, weights, config, { labels, seed });
  const [c, h, w] = network.input;
  if (latents) denormaliseLatents(samples, h * w, latents);
  return { samples, shape: [c, h, w], labels, columns, latents: latents !== undefined, nfe };
}

/** Writes samples as a PNG, a column a class; latents as latentPicture shows them. */
export function writeSampleGrid(path: string, { samples, shape, labels, columns, latents }: Sampled): void {
  const [c, h, w] = shape;
  const n = labels.length;
  const picture = latents ? latentPicture(samples, c, h * w) : { values: samples, channels: c };
  atomicWrite(path, [encodeGrid(picture.values, { n, c: picture.channels, h, w, columns })]);
}

/** Columns of a grid: the classes, up to 16. */
export function gridColumns({ numClasses }: VelocityNetwork): number {
  return numClasses >= 2 ? Math.min(numClasses, 16) : 8;
}
