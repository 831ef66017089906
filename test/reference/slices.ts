/** Columns [offset, offset + cols) of m [rows, stride] -> [rows, cols]: one chunk of a modulation tensor. */
export function takeColumns(
  m: ArrayLike<number>,
  rows: number,
  stride: number,
  offset: number,
  cols: number,
): Float64Array {
  return Float64Array.from(
    { length: rows * cols },
    (_, i) => m[Math.floor(i / cols) * stride + offset + (i % cols)] as number,
  );
}

/** m [rows, stride] with part [rows, cols] added at column offset. */
export function addColumns(
  m: ArrayLike<number>,
  part: ArrayLike<number>,
  rows: number,
  stride: number,
  offset: number,
): Float64Array {
  const out = Float64Array.from(m);
  const cols = part.length / rows;
  for (let i = 0; i < part.length; i++) {
    const at = Math.floor(i / cols) * stride + offset + (i % cols);
    out[at] = (out[at] as number) + (part[i] as number);
  }
  return out;
}
