import type { RunConfig } from '../io/config.ts';
import { KernelError } from '../kernel/index.ts';
import type { VelocityNetwork, Weights } from '../nn/network.ts';
import { normal, STREAM } from '../rng/philox.ts';
import { BufferLimitError, count, type Workspace } from '../tensor/index.ts';
import { sample } from '../ucgm/sampler.ts';

/** Which images to draw. */
export interface Drawing {
  readonly labels: Uint32Array<ArrayBuffer>;
  /** Seed of all noise: image i of a seed has the same noise whatever else is drawn with it. */
  readonly seed: number;
  /** Images sampled at once; fewer where the device cannot hold so many. Default 500. */
  readonly atOnce?: number;
}

/** Images [B, C, H, W] flattened, and the passes through the network that one took. */
export interface Drawn {
  readonly samples: Float32Array<ArrayBuffer>;
  readonly nfe: number;
}

/** Samples images as a configuration says, from noise that follows from the seed and the image's number. */
export async function draw(
  workspace: Workspace,
  network: VelocityNetwork,
  weights: Weights,
  config: RunConfig,
  { labels, seed, atOnce = 500 }: Drawing,
): Promise<Drawn> {
  const one = count(network.input);
  const samples = new Float32Array(labels.length * one);
  let nfe = 0;
  let size = Math.min(atOnce, labels.length);
  for (let first = 0; first < labels.length; ) {
    const part = labels.slice(first, first + size);
    const noise = (step: number) =>
      Float32Array.from({ length: part.length * one }, (_, i) => normal(seed, STREAM.sample, step, first * one + i));
    try {
      const drawn = await sample(workspace, network, weights, config.transport.transport_type, config.sample, {
        noise: noise(0),
        labels: part,
        stepNoise: (step) => noise(step + 1),
      });
      samples.set(drawn.samples, first * one);
      nfe = drawn.nfe;
      first += part.length;
    } catch (error) {
      if (!isTooLarge(error) || part.length === 1) throw error;
      size = Math.ceil(part.length / 2);
    }
  }
  return { samples, nfe };
}

const isTooLarge = (error: unknown) =>
  error instanceof BufferLimitError || (error instanceof KernelError && error.code === 'limit');
