/** The nearest bf16 number, ties to even; of those that are no f32 the nearest f32 is meant. */
export function nearestBfloat(value: number): number {
  if (!Number.isFinite(value) || value === 0) return value;
  const size = Math.abs(value);
  const unit = 2 ** (Math.max(-126, Math.floor(Math.log2(size))) - 7); // 8 significant bits
  const scaled = size / unit; // exact: a power of 2
  const below = Math.floor(scaled);
  const rest = scaled - below;
  const nearest = (rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below) * unit;
  return Math.sign(value) * (nearest > (2 - 2 ** -7) * 2 ** 127 ? Infinity : nearest);
}

/** Sum over r of weights[r] x[r], of rows x [ranks, n]. */
export function weightedRows(x: ArrayLike<number>, weights: ArrayLike<number>): Float64Array {
  const n = x.length / weights.length;
  const out = new Float64Array(n);
  for (let r = 0; r < weights.length; r++)
    for (let i = 0; i < n; i++) out[i] = (out[i] as number) + (weights[r] as number) * (x[r * n + i] as number);
  return out;
}
