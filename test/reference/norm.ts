export interface NormProblem {
  rows: number;
  cols: number;
  x: ArrayLike<number>;
  kind: 'layer' | 'rms' | 'pixel';
  eps: number;
  weight?: ArrayLike<number>;
}

/** xhat * weight in f64, with the row's mean (0 for RMSNorm) and 1/deviation. */
export function norm({ rows, cols, x, kind, eps, weight }: NormProblem): {
  y: Float64Array;
  mean: Float64Array;
  rstd: Float64Array;
} {
  const y = new Float64Array(rows * cols);
  const mean = new Float64Array(rows);
  const rstd = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    const row = Float64Array.from({ length: cols }, (_, c) => x[r * cols + c] as number);
    const center = kind === 'layer' ? row.reduce((a, b) => a + b, 0) / cols : 0;
    const variance = row.reduce((a, b) => a + (b - center) ** 2, 0) / cols;
    mean[r] = center;
    rstd[r] = kind === 'pixel' ? 1 / (eps + Math.sqrt(variance)) : 1 / Math.sqrt(variance + eps);
    row.forEach((v, c) => {
      y[r * cols + c] = (v - center) * (rstd[r] as number) * (weight?.[c] ?? 1);
    });
  }
  return { y, mean, rstd };
}
