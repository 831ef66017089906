import type { Dataset } from '../data/dataset.ts';
import { atomicWrite } from '../io/atomic.node.ts';
import { encodeGrid } from '../io/png.ts';
import { nearestRows } from '../metrics/neighbours.ts';
import type { Workspace } from '../tensor/index.ts';

/** Samples that are shown beside their nearest image. */
export const SHOWN = 24;
const COLUMNS = 8;

/** Samples that were drawn, and their features. */
export interface SeenSamples {
  /** [n, C, H, W], n at most SHOWN. */
  readonly images: Float32Array;
  /** [n, dim]. */
  readonly features: Float32Array<ArrayBuffer>;
}

/** Writes samples and below each the image of a dataset that is nearest to it in the features. @throws IoError. */
export async function writeNearest(
  path: string,
  workspace: Workspace,
  { images, features }: SeenSamples,
  dataset: Dataset,
  reference: Float32Array<ArrayBuffer>,
): Promise<void> {
  const { channels: c, height: h, width: w } = dataset;
  const dim = reference.length / dataset.size;
  const { index } = await nearestRows(workspace, features, reference, dim);
  const one = c * h * w;
  const n = index.length;
  const rows = Math.ceil(n / COLUMNS);
  const all = new Float32Array(2 * rows * COLUMNS * one).fill(Number.NaN); // black where there is none
  for (let i = 0; i < n; i++) {
    const at = 2 * Math.floor(i / COLUMNS) * COLUMNS + (i % COLUMNS);
    all.set(images.subarray(i * one, (i + 1) * one), at * one);
    dataset.image(index[i] as number, all, (at + COLUMNS) * one);
  }
  atomicWrite(path, [encodeGrid(all, { n: 2 * rows * COLUMNS, c, h, w, columns: COLUMNS })]);
}
