import { frechetDistance, type Moments, momentsOfFeatures } from './frechet.ts';

/** Shares of the samples at which the distance is taken: of 10,000 these are 1,000, 2,000, 5,000 and all. */
const SHARES = [0.1, 0.2, 0.5, 1];
/** Parts of one size that a distance is the mean of, at most. */
const MOST_PARTS = 5;
/** Features from which on a distance takes minutes: there only that of all samples is taken. */
const MOST_FEATURES = 512;

/** The Frechet distance by number of samples. */
export interface SizeBias {
  /** Numbers of samples, rising, the last all of them, and the mean distance of parts of that size. */
  readonly bySize: readonly { readonly images: number; readonly frechet: number }[];
  /** The distance of endless samples: the line through these in 1 / images, at 0. Null where there are too few. */
  readonly limit: number | null;
}

/**
 * How the distance falls with the number of samples: of few the covariance is off, which adds nearly c / n (Chong & Forsyth 2020,
 * arXiv 1911.07023). Parts are taken in order, so that they have the classes of the whole where these come in turn; sizes with no more
 * samples than features are left out. @param all the distance of all samples.
 */
export function sizeBias(reference: Moments, features: Float32Array, all: number): SizeBias {
  const dim = reference.mean.length;
  const n = features.length / dim;
  const sizes = SHARES.map((share) => Math.floor(share * n)).filter((size) => size > dim && size < n);
  if (dim > MOST_FEATURES) sizes.length = 0;
  const bySize = sizes.map((images) => {
    const parts = Math.min(MOST_PARTS, Math.floor(n / images));
    let sum = 0;
    for (let part = 0; part < parts; part++) {
      const rows = features.subarray(part * images * dim, (part + 1) * images * dim);
      sum += frechetDistance(reference, momentsOfFeatures(rows, dim));
    }
    return { images, frechet: sum / parts };
  });
  bySize.push({ images: n, frechet: all });
  return { bySize, limit: limitOf(bySize) };
}

/** Where the least-squares line through distances, in 1 / images, meets 0; null for a single point. */
export function limitOf(points: readonly { readonly images: number; readonly frechet: number }[]): number | null {
  if (points.length < 2) return null;
  const xs = points.map(({ images }) => 1 / images);
  const [meanX, meanY] = [mean(xs), mean(points.map(({ frechet }) => frechet))];
  let [along, across] = [0, 0];
  points.forEach(({ frechet }, i) => {
    const x = (xs[i] as number) - meanX;
    along += x * x;
    across += x * (frechet - meanY);
  });
  return meanY - (across / along) * meanX;
}

/** The mean of numbers. */
export const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;

/** The standard deviation of numbers about their mean, by n - 1; null of fewer than two. */
export function deviation(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - centre) ** 2, 0) / (values.length - 1));
}
