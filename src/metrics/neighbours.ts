import type { Workspace } from '../tensor/index.ts';
import type { Interruptible } from './embed.ts';
import { MetricError } from './errors.ts';
import { products, squaredNorms } from './products.ts';

const NEIGHBOURS = 3;

/**
 * Precision and recall by k nearest neighbours (Kynkaanniemi et al. 2019, k = 3): the share of samples that lie within the
 * neighbourhood of some real image, and of real images within that of some sample. Features [n, dim], [m, dim].
 * @param realReach `reachOf` the real ones, where it is known already.
 */
export async function precisionRecall(
  workspace: Workspace,
  real: Float32Array<ArrayBuffer>,
  samples: Float32Array<ArrayBuffer>,
  dim: number,
  control: Interruptible = {},
  realReach?: Float64Array,
): Promise<{ precision: number; recall: number }> {
  const ofSamples = await reachOf(workspace, samples, dim, control);
  const ofReal = realReach ?? (await reachOf(workspace, real, dim, control));
  const [samplesLengths, realLengths] = [squaredNorms(samples, dim), squaredNorms(real, dim)];
  const [n, m] = [samplesLengths.length, realLengths.length];
  const covered = new Uint8Array(m);
  let inside = 0;
  await products(
    workspace,
    samples,
    real,
    dim,
    (first, block) => {
      for (let row = first; row < first + block.length / m; row++) {
        const [length, reach] = [samplesLengths[row] as number, ofSamples[row] as number];
        let within = 0;
        for (let other = 0; other < m; other++) {
          const d = length + (realLengths[other] as number) - 2 * (block[(row - first) * m + other] as number);
          if (d <= (ofReal[other] as number)) within = 1;
          if (d <= reach) covered[other] = 1;
        }
        inside += within;
      }
    },
    control,
  );
  return { precision: inside / n, recall: covered.reduce((sum, one) => sum + one, 0) / m };
}

/** How far the neighbourhood of each row of `b` [m, dim] goes: the squared distance of its third nearest other row. @throws MetricError. */
export async function reachOf(
  workspace: Workspace,
  b: Float32Array<ArrayBuffer>,
  dim: number,
  control: Interruptible = {},
): Promise<Float64Array> {
  const lengths = squaredNorms(b, dim);
  const m = lengths.length;
  if (m <= NEIGHBOURS)
    throw new MetricError('too few images for neighbours', `give at least ${NEIGHBOURS + 1} of both sets`);
  const reach = new Float64Array(m);
  const nearest = new Float64Array(NEIGHBOURS);
  await products(
    workspace,
    b,
    b,
    dim,
    (first, block) => {
      for (let row = first; row < first + block.length / m; row++) {
        nearest.fill(Number.POSITIVE_INFINITY);
        for (let other = 0; other < m; other++) {
          const d = (lengths[other] as number) - 2 * (block[(row - first) * m + other] as number);
          if (d < (nearest[NEIGHBOURS - 1] as number) && other !== row) insert(nearest, d);
        }
        reach[row] = (nearest[NEIGHBOURS - 1] as number) + (lengths[row] as number);
      }
    },
    control,
  );
  return reach;
}

/** Puts a value below the last among the smallest, rising; the last falls out. */
function insert(smallest: Float64Array, value: number): void {
  let at = smallest.length - 1;
  while (at > 0 && (smallest[at - 1] as number) > value) {
    smallest[at] = smallest[at - 1] as number;
    at--;
  }
  smallest[at] = value;
}

/** Of every row of `a` [n, dim] its nearest row of `b` [m, dim], and the distance. `ownRow` names the row of b
 * that a row of a is, where b holds a: it does not count. */
export async function nearestRows(
  workspace: Workspace,
  a: Float32Array<ArrayBuffer>,
  b: Float32Array<ArrayBuffer>,
  dim: number,
  ownRow?: (row: number) => number,
  control: Interruptible = {},
): Promise<{ index: Uint32Array; distance: Float64Array }> {
  const [lengthsA, lengthsB] = [squaredNorms(a, dim), squaredNorms(b, dim)];
  const m = lengthsB.length;
  const index = new Uint32Array(lengthsA.length);
  const distance = new Float64Array(lengthsA.length);
  await products(
    workspace,
    a,
    b,
    dim,
    (first, block) => {
      for (let row = first; row < first + block.length / m; row++) {
        const own = ownRow?.(row) ?? -1;
        let best = Number.POSITIVE_INFINITY;
        for (let other = 0; other < m; other++) {
          const d = (lengthsB[other] as number) - 2 * (block[(row - first) * m + other] as number);
          if (d >= best || other === own) continue;
          best = d;
          index[row] = other;
        }
        distance[row] = Math.sqrt(Math.max(0, best + (lengthsA[row] as number)));
      }
    },
    control,
  );
  return { index, distance };
}

/** The middle value. */
export function median(values: Float64Array): number {
  const sorted = values.slice().sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[half] as number)
    : ((sorted[half - 1] as number) + (sorted[half] as number)) / 2;
}
