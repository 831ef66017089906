export interface WeightNorm {
  rows: number;
  depth: number;
  taps: number;
  interleave?: number;
  normed?: boolean;
  forced?: boolean;
  gain?: number;
  eps?: number;
  scale?: number;
}

const rms = (row: ArrayLike<number>) => Math.sqrt(Array.from(row).reduce((sum, v) => sum + v * v, 0) / row.length);

/** Rows divided by eps + their root mean square. */
export function forcedRows(weight: ArrayLike<number>, rows: number, eps: number): Float64Array {
  const cols = weight.length / rows;
  const out = Float64Array.from(weight);
  for (let r = 0; r < rows; r++) {
    const row = out.subarray(r * cols, (r + 1) * cols);
    const divisor = eps + rms(row);
    row.forEach((v, i) => {
      row[i] = v / divisor;
    });
  }
  return out;
}

/** Where numbers of a row of weight [rows, depth, taps] lie in the result [rows, taps, depth]. */
function placeOf({ rows, depth, taps, interleave = 1 }: WeightNorm, row: number, i: number): number {
  const to = (row % interleave) * (rows / interleave) + Math.floor(row / interleave);
  return to * depth * taps + (i % taps) * depth + Math.floor(i / taps);
}

/** Weights as a convolution reads them, and what they give back: dweight by the weights that were normalised last. */
export function normedWeights(weight: ArrayLike<number>, o: WeightNorm, dout?: ArrayLike<number>) {
  const { rows, normed, forced, gain = 1, eps = 0, scale = 1 } = o;
  const cols = o.depth * o.taps;
  const used = forced ? forcedRows(weight, rows, eps) : Float64Array.from(weight);
  const out = new Float64Array(rows * cols);
  const dweight = new Float64Array(rows * cols);
  const dgain = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const w = used.subarray(row * cols, (row + 1) * cols);
    const r = rms(w);
    const factor = normed ? (scale * gain) / (eps + r) : 1;
    w.forEach((v, i) => {
      out[placeOf(o, row, i)] = factor * v;
    });
    if (!dout) continue;
    const g = Float64Array.from(w, (_, i) => dout[placeOf(o, row, i)] as number);
    const sum = g.reduce((total, v, i) => total + v * (w[i] as number), 0);
    dgain[row] = (scale * sum) / (eps + r);
    g.forEach((v, i) => {
      const own = factor * v;
      const shared = normed && r > 0 ? (scale * gain * (w[i] as number) * sum) / cols / (r * (eps + r) ** 2) : 0;
      dweight[row * cols + i] = own - shared;
    });
  }
  return {
    out,
    dweight,
    dgain,
    rms: Float64Array.from({ length: rows }, (_, r) => rms(Array.from(weight).slice(r * cols, (r + 1) * cols))),
  };
}
