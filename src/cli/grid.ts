import { atomicWrite } from '../io/atomic.node.ts';
import type { RunConfig } from '../io/config.ts';
import { encodeGrid } from '../io/png.ts';
import type { VelocityNetwork, Weights } from '../nn/network.ts';
import { normal, STREAM } from '../rng/philox.ts';
import { count, type Workspace } from '../tensor/index.ts';
import { sample } from '../ucgm/sampler.ts';

export interface GridRequest {
  /** Images; default eight of each class, or 64. */
  readonly count?: number;
  readonly seed?: number;
  /** One class for all; default all classes in turn. */
  readonly label?: number;
}

/** Samples a grid of images, a column a class, and writes it as a PNG. Returns the passes through the network. */
export async function writeSampleGrid(
  workspace: Workspace,
  network: VelocityNetwork,
  weights: Weights,
  config: RunConfig,
  path: string,
  request: GridRequest,
): Promise<number> {
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
  atomicWrite(path, [encodeGrid(samples, { n, c, h, w, columns })]);
  return nfe;
}
