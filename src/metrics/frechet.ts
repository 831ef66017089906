import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { MetricError } from './errors.ts';

/** Mean [dim] and covariance [dim, dim] of features. */
export interface Moments {
  readonly mean: Float64Array;
  readonly covariance: Float64Array;
}

/** Mean and unbiased covariance of features [n, dim], in f64. @throws MetricError for fewer than two rows, or numbers that are none. */
export function momentsOfFeatures(features: Float32Array, dim: number): Moments {
  const n = features.length / dim;
  if (n < 2) throw new MetricError(`a covariance of ${n} images`, 'give at least two');
  const mean = new Float64Array(dim);
  for (let i = 0; i < features.length; i++) mean[i % dim] = (mean[i % dim] as number) + (features[i] as number) / n;
  if (!mean.every(Number.isFinite))
    throw new MetricError('features are not finite', 'look at the samples: the model may have diverged');
  const covariance = new Float64Array(dim * dim);
  const centred = new Float64Array(dim);
  for (let row = 0; row < n; row++) {
    for (let c = 0; c < dim; c++) centred[c] = (features[row * dim + c] as number) - (mean[c] as number);
    for (let a = 0; a < dim; a++) {
      const value = (centred[a] as number) / (n - 1);
      if (value === 0) continue; // features behind a ReLU are often all 0
      for (let b = a; b < dim; b++)
        covariance[a * dim + b] = (covariance[a * dim + b] as number) + value * (centred[b] as number);
    }
  }
  for (let a = 0; a < dim; a++) for (let b = 0; b < a; b++) covariance[a * dim + b] = covariance[b * dim + a] as number;
  return { mean, covariance };
}

/** The symmetric root of a covariance; by moments, since one reference set is compared with many. */
const roots = new WeakMap<Moments, Matrix>();

function rootOf(moments: Moments): Matrix {
  let root = roots.get(moments);
  if (!root) {
    const covariance = matrixOf(moments);
    const { eigenvectorMatrix: v, realEigenvalues } = new EigenvalueDecomposition(covariance, {
      assumeSymmetric: true,
    });
    // Rounding makes eigenvalues of a singular covariance slightly negative.
    const lengths = realEigenvalues.map((e) => Math.sqrt(Math.max(0, e)));
    root = v.mmul(Matrix.diag(lengths)).mmul(v.transpose());
    roots.set(moments, root);
  }
  return root;
}

const matrixOf = ({ mean, covariance }: Moments): Matrix =>
  Matrix.from1DArray(mean.length, mean.length, [...covariance]);

/**
 * Frechet distance of two Gaussians, |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), in f64 (Heusel et al. 2017). The trace of
 * the root is the sum of the roots of the eigenvalues of R C2 R with R = C1^(1/2): symmetric, so no complex part can arise. R is
 * kept for the next call with the same `reference`: of 2,048 features each decomposition takes minutes.
 */
export function frechetDistance(reference: Moments, samples: Moments): number {
  const dim = reference.mean.length;
  if (samples.mean.length !== dim)
    throw new MetricError(`features of ${dim} and of ${samples.mean.length} numbers`, 'use one network for both');
  const root = rootOf(reference);
  const c2 = matrixOf(samples);
  const product = root.mmul(c2).mmul(root);
  const symmetric = Matrix.add(product, product.transpose()).mul(0.5);
  const traceOfRoot = new EigenvalueDecomposition(symmetric, { assumeSymmetric: true }).realEigenvalues.reduce(
    (sum, e) => sum + Math.sqrt(Math.max(0, e)),
    0,
  );
  const difference = reference.mean.reduce((sum, m, i) => sum + (m - (samples.mean[i] as number)) ** 2, 0);
  let traces = c2.trace();
  for (let i = 0; i < dim; i++) traces += reference.covariance[i * dim + i] as number;
  return difference + traces - 2 * traceOfRoot;
}
