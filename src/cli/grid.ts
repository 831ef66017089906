import { atomicWrite } from '../io/atomic.node.ts';
import type { RunConfig } from '../io/config.ts';
import { encodeGrid } from '../io/png.ts';
import type { VelocityNetwork, Weights } from '../nn/network.ts';
import type { Workspace } from '../tensor/index.ts';
import { draw } from './draw.ts';

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
  const labels = gridLabels(network, n, request.label);
  const seed = request.seed ?? config.train.seed;
  const { samples, nfe } = await draw(workspace, network, weights, config, { labels, seed });
  const [c, h, w] = network.input;
  atomicWrite(path, [encodeGrid(samples, { n, c, h, w, columns })]);
  return nfe;
}

/** Columns of a grid: the classes, up to 16. */
export function gridColumns({ numClasses }: VelocityNetwork): number {
  return numClasses >= 2 ? Math.min(numClasses, 16) : 8;
}

/** Labels of `n` images: a class a column, or one for all. */
export function gridLabels(network: VelocityNetwork, n: number, label?: number): Uint32Array<ArrayBuffer> {
  const columns = gridColumns(network);
  return Uint32Array.from({ length: n }, (_, i) => label ?? (network.numClasses >= 2 ? i % columns : 0));
}
