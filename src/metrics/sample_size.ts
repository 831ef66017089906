import { frechetDistance, type Moments, momentsOfFeatures } from './frechet.ts';

/** Shares of the samples at which the distance is taken: of 10,000 these are 1,000, 2,000, 5,000 and all. */
const SHARES = [0.1, 0.2, 0.5];
/** Parts of one size that a distance is the mean of, at most. */
const MOST_PARTS = 5;
/** Features from which on a distance takes minutes: there only that of all samples is taken. */
const MOST_FEATURES = 512;

/** The Frechet distance of so many samples. */
export interface SizedDistance {
  readonly images: number;
  readonly frechet: number;
}

/**
 * How the distance falls with the number of samples: of few the covariance is off, which adds nearly c / n (Chong & Forsyth 2020,
 * arXiv 1911.07023). Sizes rise to all; of each, the mean of parts taken in order, which have the classes of the whole where these come
 * in turn. Sizes with no more samples than features are left out: there the bias is no c / n. @param all the distance of all samples.
 */
export function distanceBySize(reference: Moments, features: Float32Array, all: number): SizedDistance[] {
  const dim = reference.mean.length;
  const n = features.length / dim;
  const shares = dim > MOST_FEATURES ? [] : SHARES;
  const sizes = shares.map((share) => Math.floor(share * n)).filter((size) => size > dim);
  const bySize = sizes.map((images) => {
    const parts = Math.min(MOST_PARTS, Math.floor(n / images));
    let sum = 0;
    for (let part = 0; part < parts; part++) {
      const rows = features.subarray(part * images * dim, (part + 1) * images * dim);
      sum += frechetDistance(reference, momentsOfFeatures(rows, dim));
    }
    return { images, frechet: sum / parts };
  });
  return [...bySize, { images: n, frechet: all }];
}
