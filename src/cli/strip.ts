import { atomicWrite } from '../io/atomic.node.ts';
import type { RunConfig } from '../io/config.ts';
import { encodeGrid } from '../io/png.ts';
import type { VelocityNetwork, Weights } from '../nn/network.ts';
import { count, type Workspace } from '../tensor/index.ts';
import { draw } from './draw.ts';
import { gridColumns, gridLabels } from './grid.ts';

/** Sampling steps of a strip's rows, from the top. */
export const STRIP_STEPS: readonly number[] = [1, 2, 4, 8, 20];

/** Samples the same noise at several numbers of steps, a row for each, a column a class, and writes it as a PNG. */
export async function writeStrip(
  workspace: Workspace,
  network: VelocityNetwork,
  weights: Weights,
  config: RunConfig,
  path: string,
): Promise<void> {
  const columns = gridColumns(network);
  const drawing = { labels: gridLabels(network, columns), seed: config.train.seed };
  const all = new Float32Array(STRIP_STEPS.length * columns * count(network.input));
  for (const [row, sampling_steps] of STRIP_STEPS.entries()) {
    const stepped = { ...config, sample: { ...config.sample, sampling_steps } };
    const { samples } = await draw(workspace, network, weights, stepped, drawing);
    all.set(samples, row * samples.length);
  }
  const [c, h, w] = network.input;
  atomicWrite(path, [encodeGrid(all, { n: STRIP_STEPS.length * columns, c, h, w, columns })]);
}
