import type { RunConfig } from '../io/config.ts';
import type { VelocityNetwork, Weights } from '../nn/network.ts';
import { normal, STREAM } from '../rng/philox.ts';
import { count, type Workspace } from '../tensor/index.ts';
import { type SampleResult, sample } from '../ucgm/sampler.ts';

/** Which images to draw. */
export interface Drawing {
  readonly labels: Uint32Array<ArrayBuffer>;
  /** Seed of all noise. */
  readonly seed: number;
  /** Number of the first image: image i of a seed has the same noise whatever else is drawn with it. Default 0. */
  readonly first?: number;
}

/** Samples images as a configuration says, from noise that follows from the seed and the image's number. */
export function draw(
  workspace: Workspace,
  network: VelocityNetwork,
  weights: Weights,
  config: RunConfig,
  { labels, seed, first = 0 }: Drawing,
): Promise<SampleResult> {
  const one = count(network.input);
  const noise = (step: number) => {
    const out = new Float32Array(labels.length * one);
    for (let i = 0; i < out.length; i++) out[i] = normal(seed, STREAM.sample, step, first * one + i);
    return out;
  };
  return sample(workspace, network, weights, config.transport.transport_type, config.sample, {
    noise: noise(0),
    labels,
    stepNoise: (step) => noise(step + 1),
  });
}
