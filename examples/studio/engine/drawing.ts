import { imageGrid, type Picture } from '../../../src/io/png.ts';
import type { VelocityNetwork, Weights } from '../../../src/nn/network.ts';
import { drawParts } from '../../../src/run/draw.ts';
import { latentPicture } from '../../../src/run/latent_picture.ts';
import { gridColumns } from '../../../src/run/samples.ts';
import type { RunConfig } from '../../../src/run/settings.ts';
import type { Workspace } from '../../../src/tensor/index.ts';

/** A model that can be drawn from, and where. */
export interface Drawable {
  /** How it is drawn from, the page's settings put in. */
  readonly config: RunConfig;
  readonly network: VelocityNetwork;
  readonly weights: Weights;
  readonly workspace: Workspace;
}

/** What is to be drawn. */
export interface DrawRequest {
  readonly rows: number;
  readonly seed: number;
}

/** A picture, and what it took. */
export interface DrawnPicture {
  readonly picture: Picture;
  /** Passes through the network, a guided one counted once. */
  readonly passes: number;
  readonly images: number;
  readonly ms: number;
}

/** A class a column; a row after the other where the device draws slowly, so that something is soon to be seen. */
export async function drawGrid(
  { workspace, network, weights, config }: Drawable,
  { rows, seed }: DrawRequest,
  atOnce: number,
  shown: (part: DrawnPicture) => void,
  signal: AbortSignal,
): Promise<void> {
  const columns = gridColumns(network);
  const classes = network.numClasses >= 2 ? columns : 1;
  const labels = Uint32Array.from({ length: rows * columns }, (_, i) => i % classes);
  const one = network.input.reduce((product, size) => product * size, 1);
  const samples = new Float32Array(labels.length * one);
  const start = performance.now();
  for await (const part of drawParts(workspace, network, weights, config, { labels, seed, atOnce })) {
    samples.set(part.samples, part.first * one);
    const images = Math.min(labels.length, part.first + part.samples.length / one);
    // Whole rows: what is not drawn yet is left out.
    const drawn = samples.subarray(0, images * one);
    shown({
      picture: pictureOf(drawn, images, network, columns),
      passes: part.nfe,
      images,
      ms: performance.now() - start,
    });
    if (signal.aborted) return; // a slider moved on; what it asked for has been seen, if only in part
  }
}

/** Samples as a picture: images as they are, what has other channels as its first ones, stretched. */
export function pictureOf(samples: Float32Array, n: number, network: VelocityNetwork, columns: number): Picture {
  const [c, h, w] = network.input;
  const seen = c === 1 || c === 3 ? { values: samples, channels: c } : latentPicture(samples, c, h * w);
  return imageGrid(seen.values, { n, c: seen.channels, h, w, columns });
}
