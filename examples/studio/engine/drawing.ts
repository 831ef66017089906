import { imageGrid, type Picture } from '../../../src/io/png.ts';
import type { VelocityNetwork, Weights } from '../../../src/nn/network.ts';
import { draw, drawParts } from '../../../src/run/draw.ts';
import { latentPicture } from '../../../src/run/latent_picture.ts';
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
  /** Classes side by side. */
  readonly columns: number;
  readonly seed: number;
}

/** Signals that end a drawing: once something of it has been seen, at once, or by either. */
export interface DrawingEnds {
  readonly soft: AbortSignal;
  readonly now: AbortSignal;
  readonly any: AbortSignal;
}

/** A picture, and what it took. */
export interface DrawnPicture {
  readonly picture: Picture;
  /** Passes through the network, a guided one counted once. */
  readonly passes: number;
  readonly images: number;
  readonly ms: number;
}

/** A class a column; a few after the other where the device draws slowly, so that something is soon to be seen. */
export async function drawGrid(
  { workspace, network, weights, config }: Drawable,
  { rows, columns, seed }: DrawRequest,
  atOnce: number,
  shown: (part: DrawnPicture) => void,
  { soft, now: signal }: DrawingEnds,
): Promise<void> {
  const classes = network.numClasses >= 2 ? columns : 1;
  const labels = Uint32Array.from({ length: rows * columns }, (_, i) => i % classes);
  const one = network.input.reduce((product, size) => product * size, 1);
  const samples = new Float32Array(labels.length * one).fill(-1); // what is not drawn yet is empty
  const start = performance.now();
  for await (const part of drawParts(workspace, network, weights, config, { labels, seed, atOnce, signal })) {
    samples.set(part.samples, part.first * one);
    const images = Math.min(labels.length, part.first + part.samples.length / one);
    const begun = Math.min(labels.length, Math.ceil(images / columns) * columns); // whole rows: others are left out
    shown({
      picture: pictureOf(samples.subarray(0, begun * one), begun, network, columns),
      passes: part.nfe,
      images,
      ms: performance.now() - start,
    });
    if (soft.aborted) return; // a slider moved on; what it asked for has been seen, if only in part
  }
}

/** Steps of the rows of a strip, from the top. */
export const STRIP_STEPS = [1, 2, 4, 20] as const;

/** Draws the same noise at several numbers of steps, a row after the other. @throws the signal's reason. */
export async function drawStrip(
  { workspace, network, weights, config }: Drawable,
  seed: number,
  columns: number,
  shown: (picture: Picture) => void,
  signal: AbortSignal,
): Promise<void> {
  const labels = Uint32Array.from({ length: columns }, (_, i) =>
    network.numClasses >= 2 ? i % network.numClasses : 0,
  );
  const row = columns * network.input.reduce((product, size) => product * size, 1);
  const samples = new Float32Array(STRIP_STEPS.length * row).fill(-1); // what is not drawn yet is empty
  for (const [i, sampling_steps] of STRIP_STEPS.entries()) {
    const stepped = { ...config, sample: { ...config.sample, sampling_steps } };
    const drawn = await draw(workspace, network, weights, stepped, { labels, seed, signal });
    samples.set(drawn.samples, i * row);
    shown(pictureOf(samples, STRIP_STEPS.length * columns, network, columns));
  }
}

/** Samples as a picture: images as they are, what has other channels as its first ones, stretched. */
export function pictureOf(samples: Float32Array, n: number, network: VelocityNetwork, columns: number): Picture {
  const [c, h, w] = network.input;
  const seen = c === 1 || c === 3 ? { values: samples, channels: c } : latentPicture(samples, c, h * w);
  return imageGrid(seen.values, { n, c: seen.channels, h, w, columns });
}
