/** One modulated norm in f64: `y = (xhat weight + bias)(1 + scale) + shift`. scale and shift are [ceil(rows/modRows), cols]. */
export interface ModulatedNorm {
  rows: number;
  cols: number;
  kind: 'layer' | 'rms' | 'pixel';
  eps: number;
  modRows: number;
  x: ArrayLike<number>;
  weight?: ArrayLike<number>;
  bias?: ArrayLike<number>;
  scale?: ArrayLike<number>;
  shift?: ArrayLike<number>;
}

interface Row {
  mean: number;
  /** The root mean square around the mean. */
  root: number;
  rstd: number;
  xhat: Float64Array;
}

function normRow({ cols, kind, eps, x }: ModulatedNorm, row: number): Row {
  let mean = 0;
  if (kind === 'layer') for (let c = 0; c < cols; c++) mean += (x[row * cols + c] as number) / cols;
  let variance = 0;
  for (let c = 0; c < cols; c++) variance += ((x[row * cols + c] as number) - mean) ** 2 / cols;
  const rstd = kind === 'pixel' ? 1 / (eps + Math.sqrt(variance)) : 1 / Math.sqrt(variance + eps);
  return {
    mean,
    root: Math.sqrt(variance),
    rstd,
    xhat: Float64Array.from({ length: cols }, (_, c) => ((x[row * cols + c] as number) - mean) * rstd),
  };
}

/** The forward, [rows, cols], and its stats [rows, 2] = (mean, rstd), of a pixel norm (1 / (rstd root mean square), rstd). */
export function modulatedNorm(o: ModulatedNorm): { y: Float64Array; stats: Float64Array } {
  const y = new Float64Array(o.rows * o.cols);
  const stats = new Float64Array(o.rows * 2);
  for (let r = 0; r < o.rows; r++) {
    const { mean, root, rstd, xhat } = normRow(o, r);
    stats.set([o.kind === 'pixel' ? (root > 0 ? 1 / (rstd * root) : 0) : mean, rstd], 2 * r);
    const mod = Math.floor(r / o.modRows) * o.cols;
    for (let c = 0; c < o.cols; c++) {
      const affine = (xhat[c] as number) * (o.weight?.[c] ?? 1) + (o.bias?.[c] ?? 0);
      y[r * o.cols + c] = affine * (1 + (o.scale?.[mod + c] ?? 0)) + (o.shift?.[mod + c] ?? 0);
    }
  }
  return { y, stats };
}

/**
 * The gradients of sum(dy * y) by every input, whether the forward had it or not (scale and shift 0, weight 1, bias 0). dx
 * carries g = dy (1 + scale) weight through xhat (x - mean) rstd by the chain rule over mean and variance, kept apart.
 */
export function modulatedNormGradients(o: ModulatedNorm, dy: ArrayLike<number>) {
  const { rows, cols, modRows } = o;
  const modSize = Math.ceil(rows / modRows) * cols;
  const dx = new Float64Array(rows * cols);
  const dweight = new Float64Array(cols);
  const dbias = new Float64Array(cols);
  const dscale = new Float64Array(modSize);
  const dshift = new Float64Array(modSize);
  for (let r = 0; r < rows; r++) {
    const { mean, root, rstd, xhat } = normRow(o, r);
    const slope = o.kind !== 'pixel' ? rstd * rstd : root > 0 ? rstd / root : 0; // -2 / rstd d rstd / d variance
    const mod = Math.floor(r / modRows) * cols;
    const g = new Float64Array(cols);
    let dmean = 0;
    let dvariance = 0;
    for (let c = 0; c < cols; c++) {
      const up = dy[r * cols + c] as number;
      const weight = o.weight?.[c] ?? 1;
      const scaled = up * (1 + (o.scale?.[mod + c] ?? 0));
      const hat = xhat[c] as number;
      dshift[mod + c] = (dshift[mod + c] as number) + up;
      dscale[mod + c] = (dscale[mod + c] as number) + up * (hat * weight + (o.bias?.[c] ?? 0));
      dweight[c] = (dweight[c] as number) + scaled * hat;
      dbias[c] = (dbias[c] as number) + scaled;
      g[c] = scaled * weight;
      dmean -= (g[c] as number) * rstd;
      dvariance -= 0.5 * (g[c] as number) * hat * slope; // (x - mean) d rstd / d variance
    }
    for (let c = 0; c < cols; c++) {
      const centred = (o.x[r * cols + c] as number) - mean;
      const throughMean = o.kind === 'layer' ? dmean / cols : 0;
      dx[r * cols + c] = (g[c] as number) * rstd + throughMean + (dvariance * 2 * centred) / cols;
    }
  }
  return { dx, dweight, dbias, dscale, dshift };
}
