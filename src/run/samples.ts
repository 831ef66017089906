import { denormaliseLatents, type LatentScale } from '../data/latents.ts';
import { encodeGrid } from '../io/png.ts';
import type { VelocityNetwork, Weights } from '../nn/network.ts';
import type { Workspace } from '../tensor/index.ts';
import { draw } from './draw.ts';
import { RunError } from './errors.ts';
import { latentPicture } from './latent_picture.ts';
import type { RunConfig } from './settings.ts';

export interface GridRequest {
  /** Images, of all classes in turn; default eight of each of the first 16 classes, or 64. */
  readonly count?: number;
  readonly seed?: number;
  /** One class for all; default all classes in turn. */
  readonly label?: number;
  /** Ends the sampling within a step; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
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
  const labels = labelsFor(network, request);
  const seed = request.seed ?? config.train.seed;
  checkCount(network, labels.length, 'count');
  const control = request.signal ? { signal: request.signal } : {};
  const { samples } = await draw(workspace, network, weights, config, { labels, seed, ...control });
  const [c, h, w] = network.input;
  if (latents) denormaliseLatents(samples, h * w, latents);
  return { samples, shape: [c, h, w], labels, columns, latents: latents !== undefined };
}

/** Labels that are held. */
const MOST_LABELS = 10 ** 7;

/** Labels of the images that a request asks for. @throws RunError for more than can be kept, or a label that is none. */
export function labelsFor(network: VelocityNetwork, { count, label }: GridRequest): Uint32Array<ArrayBuffer> {
  const { numClasses } = network;
  const columns = gridColumns(network);
  const n = count ?? columns * 8;
  if (n > MOST_LABELS) throw new RunError(`count ${n}`, `give at most ${MOST_LABELS}`);
  if (label !== undefined && numClasses < 2)
    throw new RunError(`label ${label}: the model knows no classes`, 'leave label out');
  if (label !== undefined && label >= numClasses)
    throw new RunError(`label ${label}: the model has ${numClasses} classes`, `give 0 to ${numClasses - 1}`);
  const inTurn = count === undefined ? columns : numClasses; // a grid shows some classes, a count asks for all
  const labels = new Uint32Array(n).fill(label ?? 0);
  if (label === undefined && numClasses >= 2) for (let i = 0; i < n; i++) labels[i] = i % inTurn;
  return labels;
}

/** @throws RunError for more images than can be held at once, before they are drawn. */
export function checkCount({ input }: VelocityNetwork, n: number, option: string): void {
  const numbers = n * input[0] * input[1] * input[2];
  try {
    new Float32Array(numbers); // not touched: no memory is used for it
  } catch {
    throw new RunError(
      `${option} ${n}: images of ${input.join(' x ')} take ${4 * numbers} bytes together`,
      'give fewer',
    );
  }
}

/** Samples as a PNG, a column a class; latents as latentPicture shows them. */
export function samplesPng({ samples, shape, labels, columns, latents }: Sampled): Uint8Array {
  const [c, h, w] = shape;
  const n = labels.length;
  const picture = latents ? latentPicture(samples, c, h * w) : { values: samples, channels: c };
  return encodeGrid(picture.values, { n, c: picture.channels, h, w, columns });
}

/** Columns of a grid: the classes, up to 16. */
export function gridColumns({ numClasses }: Pick<VelocityNetwork, 'numClasses'>): number {
  return numClasses >= 2 ? Math.min(numClasses, 16) : 8;
}
