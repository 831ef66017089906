import { atomicWrite } from '../io/atomic.node.ts';
import type { RunConfig } from '../io/config.ts';
import { encodeGrid } from '../io/png.ts';
import type { VelocityNetwork, Weights } from '../nn/network.ts';
import { normal, STREAM } from '../rng/philox.ts';
import { count, type Workspace } from '../tensor/index.ts';
import { type SampleRequest, sample } from '../ucgm/sampler.ts';

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
  const columns = gridColumns(network);
  const n = request.count ?? columns * 8;
  const seeded = seededRequest(network, n, request.seed ?? config.train.seed, request.label);
  const { transport_type } = config.transport;
  const { samples, nfe } = await sample(workspace, network, weights, transport_type, config.sample, seeded);
  const [c, h, w] = network.input;
  atomicWrite(path, [encodeGrid(samples, { n, c, h, w, columns })]);
  return nfe;
}

/** Columns of a grid: the classes, up to 16. */
export function gridColumns({ numClasses }: VelocityNetwork): number {
  return numClasses >= 2 ? Math.min(numClasses, 16) : 8;
}

/** `n` images whose noise, at the start and in each step, is a function of the seed; a class a column, or one for all. */
export function seededRequest(network: VelocityNetwork, n: number, seed: number, label?: number): SampleRequest {
  const columns = gridColumns(network);
  const length = n * count(network.input);
  const fill = (step: number) => {
    const out = new Float32Array(length);
    for (let i = 0; i < out.length; i++) out[i] = normal(seed, STREAM.sample, step, i);
    return out;
  };
  const labels = Uint32Array.from({ length: n }, (_, i) => label ?? (network.numClasses >= 2 ? i % columns : 0));
  return { noise: fill(0), labels, stepNoise: (step) => fill(step + 1) };
}
