import type { Workspace } from '../tensor/index.ts';
import type { Embedding, Interruptible } from './embed.ts';
import { frechetDistance, type Moments, momentsOfFeatures } from './frechet.ts';
import { kernelDistance } from './kid.ts';
import { median, nearestRows, precisionRecall, reachOf } from './neighbours.ts';
import { copyRows } from './rows.ts';

/** Images that memorisation is looked for in: of the samples, and of the training set against itself. */
const NEAREST_OF = 2000;

/** What samples are compared with: features of training images, and the moments that the Frechet distance uses. */
export interface Reference {
  readonly dim: number;
  /** Features of all training images [n, dim]. */
  readonly all: Float32Array<ArrayBuffer>;
  /** Features of as many of them as there are samples: for KID, precision and recall. */
  readonly chosen: Float32Array<ArrayBuffer>;
  /** How far the neighbourhood of each of these goes. */
  readonly reach: Float64Array;
  readonly moments: Moments;
  /** Median distance of a training image to the nearest other one. */
  readonly spacing: number;
}

/** Scores of one set of samples. */
export interface Scores {
  /** Frechet distance. */
  readonly frechet: number;
  /** Kernel distance. */
  readonly kid: number;
  readonly precision: number;
  readonly recall: number;
  /** Share of samples in which the network sees the class that was asked for; null where it does not classify. */
  readonly accuracy: number | null;
  /** Median distance to the nearest training image, as a multiple of `spacing`: near 0, training images are repeated. */
  readonly nearest: number;
}

/** Features of a training set as a reference for `samples` samples. */
export async function referenceOf(
  workspace: Workspace,
  all: Float32Array<ArrayBuffer>,
  dim: number,
  samples: number,
  control: Interruptible = {},
): Promise<Reference> {
  const n = all.length / dim;
  const some = Math.min(NEAREST_OF, n);
  const stride = Math.floor(n / some);
  const { distance } = await nearestRows(workspace, everyRow(all, dim, some), all, dim, (row) => row * stride, control);
  const chosen = everyRow(all, dim, Math.min(samples, n));
  return {
    dim,
    all,
    chosen,
    reach: await reachOf(workspace, chosen, dim, control),
    moments: momentsOfFeatures(all, dim),
    spacing: median(distance),
  };
}

/** Scores samples whose labels were asked for as `labels`. */
export async function score(
  workspace: Workspace,
  reference: Reference,
  samples: Embedding,
  labels: ArrayLike<number>,
  control: Interruptible = {},
): Promise<Scores> {
  const { dim } = reference;
  const n = samples.features.length / dim;
  const { distance } = await nearestRows(
    workspace,
    everyRow(samples.features, dim, Math.min(NEAREST_OF, n)),
    reference.all,
    dim,
    undefined,
    control,
  );
  const { classes } = samples;
  return {
    frechet: frechetDistance(reference.moments, momentsOfFeatures(samples.features, dim)),
    kid: await kernelDistance(workspace, samples.features, reference.chosen, dim, 0, control),
    ...(await precisionRecall(workspace, reference.chosen, samples.features, dim, control, reference.reach)),
    accuracy: classes ? classes.reduce((right, c, i) => right + (c === labels[i] ? 1 : 0), 0) / classes.length : null,
    nearest: median(distance) / reference.spacing,
  };
}

/** `count` rows of a [n, dim], evenly spread from the first on. */
function everyRow(a: Float32Array<ArrayBuffer>, dim: number, count: number): Float32Array<ArrayBuffer> {
  const stride = Math.floor(a.length / dim / count);
  if (stride === 1 && a.length === count * dim) return a;
  const out = new Float32Array(count * dim);
  const rows = Uint32Array.from({ length: count }, (_, i) => i * stride);
  copyRows(a, dim, rows, out);
  return out;
}
