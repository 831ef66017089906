/** table[index[i]] for each i, [count, cols]. */
export function lookup(table: ArrayLike<number>, index: ArrayLike<number>, cols: number): Float64Array {
  return Float64Array.from({ length: index.length * cols }, (_, i) => {
    return table[(index[Math.floor(i / cols)] as number) * cols + (i % cols)] as number;
  });
}

/** Its gradient by the table [rows, cols]. */
export function lookupGradient(
  index: ArrayLike<number>,
  dout: ArrayLike<number>,
  rows: number,
  cols: number,
): Float64Array {
  const out = new Float64Array(rows * cols);
  for (let i = 0; i < index.length * cols; i++) {
    const at = (index[Math.floor(i / cols)] as number) * cols + (i % cols);
    out[at] = (out[at] as number) + (dout[i] as number);
  }
  return out;
}

/** [cos(t f) | sin(t f)] with frequencies from 1 down to nearly 1 / period; an odd last column is 0. */
export function sinusoids(t: ArrayLike<number>, dim: number, period: number): Float64Array {
  const half = Math.floor(dim / 2);
  const out = new Float64Array(t.length * dim);
  for (let i = 0; i < t.length; i++) {
    for (let c = 0; c < half; c++) {
      const angle = (t[i] as number) * period ** (-c / half);
      out[i * dim + c] = Math.cos(angle);
      out[i * dim + half + c] = Math.sin(angle);
    }
  }
  return out;
}
