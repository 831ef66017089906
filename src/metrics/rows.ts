/** Copies rows of `a` [n, dim], those of `rows` in their order, to the beginning of `out`. */
export function copyRows(a: Float32Array, dim: number, rows: Uint32Array, out: Float32Array): void {
  rows.forEach((row, i) => {
    out.set(a.subarray(row * dim, (row + 1) * dim), i * dim);
  });
}
