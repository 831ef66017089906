import { denormaliseLatents, type LatentScale } from '../data/latents.ts';
import { atomicWrite } from '../io/atomic.node.ts';
import type { RunConfig } from '../io/config.ts';
import { encodeGrid } from '../io/png.ts';
import type { VelocityNetwork, Weights } from '../nn/network.ts';
import { normal, STREAM } from '../rng/philox.ts';
import { count, type Workspace } from '../tensor/index.ts';
import { sample } from '../ucgm/sampler.ts';
import { latentPicture } from './latent_picture.ts';

export interface GridRequest {
  /** Images; default eight of each class, or 64. */
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
  const { numClasses } = network;
  const columns = numClasses >= 2 ? Math.min(numClasses, 16) : 8;
  const n = request.count ?? columns * 8;
  const one = count(network.input);
  const seed = request.seed ?? config.train.seed;
  const fill = (step: number) => {
    const out = new Float32Array(n * one);
    for (let i = 0; i < out.length; i++) out[i] = normal(seed, STREAM.sample, step, i);
    return out;
  };
  const labels = Uint32Array.from({ length: n }, (_, i) => request.label ?? (numClasses >= 2 ? i % columns : 0));
  const { samples, nfe } = await sample(workspace, network, weights, config.transport.transport_type, config.sample, {
    noise: fill(0),
    labels,
    stepNoise: (step) => fill(step + 1),
  });
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
