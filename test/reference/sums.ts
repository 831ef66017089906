/** Sums down the columns of x [rows, cols] by chunks of chunkRows rows, f64 -> [ceil(rows/chunkRows), cols]. */
export function columnSums(x: ArrayLike<number>, rows: number, cols: number, chunkRows: number): Float64Array {
  const out = new Float64Array(Math.ceil(rows / chunkRows) * cols);
  for (let i = 0; i < rows * cols; i++) {
    const at = Math.floor(Math.floor(i / cols) / chunkRows) * cols + (i % cols);
    out[at] = (out[at] as number) + (x[i] as number);
  }
  return out;
}

/** Sums along the rows of x [rows, cols], f64 -> [rows]. */
export function rowSums(x: ArrayLike<number>, rows: number, cols: number): Float64Array {
  const out = new Float64Array(rows);
  for (let i = 0; i < rows * cols; i++) {
    const row = Math.floor(i / cols);
    out[row] = (out[row] as number) + (x[i] as number);
  }
  return out;
}
