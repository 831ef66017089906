import { denormaliseLatents } from '../data/latents.ts';
import { encodeGrid } from '../io/png.ts';
import type { VelocityNetwork, Weights } from '../nn/network.ts';
import type { PassPrecision, Workspace } from '../tensor/index.ts';
import { checkLatents, type PicturedLatents, shown, shownShape } from './decoder.ts';
import { draw } from './draw.ts';
import { RunError } from './errors.ts';
import { latentPicture } from './latent_picture.ts';
import { mergeConfig, type RunConfig } from './settings.ts';

export interface GridRequest {
  /** Images, of all classes in turn; default eight of each of the first 16 classes, or 64. */
  readonly count?: number;
  readonly seed?: number;
  /** One class for all; default all classes in turn. */
  readonly label?: number;
  /** The class of each image, in place of count and label. */
  readonly labels?: ArrayLike<number>;
  /** Also give the starting noise and every step's prediction. */
  readonly keepAll?: boolean;
  /** Ends the sampling within a step; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** How passes compute; as a session trains, and f32 of a model, if left out. */
  readonly precision?: PassPrecision;
}

/** What is asked of a model: images, how they are sampled, and by which weights. */
export interface ImageRequest extends GridRequest {
  /** Sampling steps; those of the settings if left out. */
  readonly steps?: number;
  /** Other settings of the sampler, those of the model if left out. */
  readonly sample?: Partial<RunConfig['sample']>;
  /** The average (if left out), or the weights in training. */
  readonly weights?: 'ema' | 'model';
}

/** Samples of a run: images, or latents as a decoder takes them where there is none. */
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

/** Samples, and what it took to draw them. */
export interface DrawnImages extends Sampled {
  /** Passes through the network. */
  readonly nfe: number;
  /** The starting noise and then every step's prediction, each as `samples`, when asked for. */
  readonly all: readonly Float32Array<ArrayBuffer>[];
}

/** The settings with what a request says of the sampler in their place. @throws ConfigError for values that cannot be. */
export function withSampling(config: RunConfig, { steps, sample }: ImageRequest): RunConfig {
  const given = { ...sample, ...(steps !== undefined && { sampling_steps: steps }) };
  return mergeConfig('the request', config, { sample: given });
}

/**
 * Samples a run's network.
 * @param latents how the run's latents were scaled, if it was trained on such: undone here, and decoded to pictures where they can be.
 */
export async function sampleImages(
  workspace: Workspace,
  network: VelocityNetwork,
  weights: Weights,
  config: RunConfig,
  request: GridRequest,
  latents?: PicturedLatents,
): Promise<DrawnImages> {
  const columns = gridColumns(network);
  const labels = labelsFor(network, request);
  const seed = request.seed ?? config.train.seed;
  checkCount(network, labels.length, 'count');
  const { keepAll = false, precision = 'f32', signal } = request;
  const control = { keepAll, precision, ...(signal && { signal }) };
  const { samples, nfe, all } = await draw(workspace, network, weights, config, { labels, seed, ...control });
  const [c, h, w] = network.input;
  const { decoder } = latents ?? {};
  if (latents) for (const values of new Set([samples, ...all])) denormaliseLatents(values, h * w, latents);
  if (decoder) checkLatents(decoder, c);
  const show = (values: Float32Array<ArrayBuffer>) => shown(workspace, values, [c, h, w], decoder, request.signal);
  const shape = shownShape([c, h, w], decoder);
  const every: Float32Array<ArrayBuffer>[] = [];
  for (const values of all) every.push(await show(values));
  const isLatent = latents !== undefined && !decoder;
  return { samples: await show(samples), shape, labels, columns, latents: isLatent, nfe, all: every };
}

/** Labels that are held. */
const MOST_LABELS = 10 ** 7;

/** Labels of the images that a request asks for. @throws RunError for more than can be kept, or a label that is none. */
export function labelsFor(
  network: VelocityNetwork,
  { count, label, labels: given }: GridRequest,
): Uint32Array<ArrayBuffer> {
  const { numClasses } = network;
  if (given) return givenLabels(given, numClasses);
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

/** @throws RunError for no labels, or one that is no class. */
function givenLabels(labels: ArrayLike<number>, numClasses: number): Uint32Array<ArrayBuffer> {
  const most = Math.max(0, numClasses - 1);
  const wrong = Array.from(labels).find((label) => !(Number.isInteger(label) && label >= 0 && label <= most));
  if (wrong !== undefined || labels.length === 0)
    throw new RunError(`labels hold ${wrong ?? 'nothing'}`, `give a whole number from 0 to ${most} for each image`);
  return Uint32Array.from(labels);
}

/** @throws RunError for more images than can be held at once, before they are drawn. */
export function checkCount({ input }: Pick<VelocityNetwork, 'input'>, n: number, option: string): void {
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
