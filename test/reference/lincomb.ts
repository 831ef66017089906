/** What a combination reads: its tensors, each from an offset on, and where its coefficients lie. */
export interface Combination {
  batch: number;
  /** Elements of a sample. */
  n: number;
  terms: readonly ArrayLike<number>[];
  /** Where each tensor's first sample starts. */
  offsets: readonly number[];
  coefs: ArrayLike<number>;
  /** From one sample's coefficients to the next one's; 0 where all samples share them. */
  coefStride: number;
  coefOffset: number;
  /** What the sum, clamped to -1..1 and times one more coefficient, is added to: [batch, n]. */
  origin?: ArrayLike<number>;
}

/** out [batch, n]: of every sample the sum of its coefficients times its tensors. */
export function combined(o: Combination): Float64Array {
  const out = new Float64Array(o.batch * o.n);
  for (let b = 0; b < o.batch; b++) {
    for (const [k, term] of o.terms.entries()) {
      const coef = o.coefs[o.coefOffset + b * o.coefStride + k] as number;
      const from = (o.offsets[k] as number) + b * o.n;
      for (let i = 0; i < o.n; i++) out[b * o.n + i] = (out[b * o.n + i] as number) + coef * (term[from + i] as number);
    }
    if (!o.origin) continue;
    const scale = o.coefs[o.coefOffset + b * o.coefStride + o.terms.length] as number;
    for (let i = b * o.n; i < (b + 1) * o.n; i++) {
      out[i] = (o.origin[i] as number) + scale * Math.max(-1, Math.min(1, out[i] as number));
    }
  }
  return out;
}
