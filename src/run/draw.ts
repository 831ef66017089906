import { KernelError } from '../kernel/index.ts';
import type { VelocityNetwork, Weights } from '../nn/network.ts';
import { normal, STREAM } from '../rng/philox.ts';
import type { PassPrecision } from '../tensor/index.ts';
import { BufferLimitError, count, type Workspace } from '../tensor/index.ts';
import { type SampleResult, sample } from '../ucgm/sampler.ts';
import { RunError } from './errors.ts';
import { firstNotFinite } from './finite.ts';
import type { RunConfig } from './settings.ts';

/** Which images to draw. */
export interface Drawing {
  readonly labels: Uint32Array<ArrayBuffer>;
  /** Seed of all noise: image i of a seed has the same noise whatever else is drawn with it. */
  readonly seed: number;
  /** Number of the first image, by which its noise goes. Default 0. */
  readonly from?: number;
  /** Images sampled at once; fewer where the device cannot hold so many. Default 500. */
  readonly atOnce?: number;
  /** Ends the drawing between two sampling steps; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Also give the starting noise and every step's prediction. */
  readonly keepAll?: boolean;
  /** How passes compute; f32 if left out. */
  readonly precision?: PassPrecision;
}

/** Images [B, C, H, W] flattened, and the passes through the network that one took. */
export interface Drawn {
  readonly samples: Float32Array<ArrayBuffer>;
  readonly nfe: number;
  /** The starting noise and then every step's prediction, each as `samples`, when asked for. */
  readonly all: readonly Float32Array<ArrayBuffer>[];
}

/** Some of the images that are drawn. */
export interface DrawnPart extends Drawn {
  /** Number of its first image among all. */
  readonly first: number;
}

/** Samples images as a configuration says, from noise that follows from the seed and the image's number. @throws as drawParts. */
export async function draw(
  workspace: Workspace,
  network: VelocityNetwork,
  weights: Weights,
  config: RunConfig,
  drawing: Drawing,
): Promise<Drawn> {
  const one = count(network.input);
  const whole = () => new Float32Array(drawing.labels.length * one);
  const samples = whole();
  const all: Float32Array<ArrayBuffer>[] = [];
  let nfe = 0;
  for await (const part of drawParts(workspace, network, weights, config, drawing)) {
    const at = (part.first - (drawing.from ?? 0)) * one;
    samples.set(part.samples, at);
    part.all.forEach((values, i) => {
      (all[i] ??= whole()).set(values, at);
    });
    nfe = part.nfe;
  }
  return { samples, nfe, all };
}

/** As draw, part by part, so that of many images only some are in memory. @throws RunError for samples that are not finite; the signal's reason. */
export async function* drawParts(
  workspace: Workspace,
  network: VelocityNetwork,
  weights: Weights,
  config: RunConfig,
  { labels, seed, from = 0, atOnce = 500, signal, keepAll = false, precision = 'f32' }: Drawing,
): AsyncGenerator<DrawnPart> {
  const one = count(network.input);
  let size = Math.min(atOnce, labels.length);
  for (let first = 0; first < labels.length; ) {
    const part = labels.slice(first, first + size);
    const noise = (step: number) =>
      Float32Array.from({ length: part.length * one }, (_, i) =>
        normal(seed, STREAM.sample, step, (from + first) * one + i),
      );
    let drawn: SampleResult;
    try {
      const request = { noise: noise(0), labels: part, stepNoise: (step: number) => noise(step + 1), keepAll };
      const control = { precision, ...(signal && { signal }) };
      const { transport_type } = config.transport;
      drawn = await sample(workspace, network, weights, transport_type, config.sample, request, control);
    } catch (error) {
      if (!isTooLarge(error) || part.length === 1) throw error;
      size = Math.ceil(part.length / 2);
      continue;
    }
    const stray = firstNotFinite(drawn.samples);
    if (stray)
      throw new RunError(
        `sample ${from + first + Math.floor(stray.index / one)} holds ${stray.value}, though the weights are finite`,
        'sample with --kappa 0 and a lower --cfg, or use an earlier checkpoint: the model may have diverged',
      );
    yield { ...drawn, first: from + first };
    first += part.length;
  }
}

const isTooLarge = (error: unknown) =>
  error instanceof BufferLimitError || (error instanceof KernelError && error.code === 'limit');
