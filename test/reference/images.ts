/** Sizes of images cut into square patches. */
export interface ImageSizes {
  batch: number;
  channels: number;
  height: number;
  width: number;
  patch: number;
}

/** Tokens [batch, patches, channels patch patch] of images [batch, channels, height, width], row-major patches. */
export function patches(x: ArrayLike<number>, o: ImageSizes, hwc: boolean): Float64Array {
  const { batch, channels, height, width, patch } = o;
  const tokens: number[] = [];
  for (let b = 0; b < batch; b++) {
    for (let top = 0; top < height; top += patch) {
      for (let left = 0; left < width; left += patch) {
        const pixel = (c: number, row: number, col: number) =>
          x[((b * channels + c) * height + top + row) * width + left + col] as number;
        for (let i = 0; i < channels * patch * patch; i++) {
          if (hwc) tokens.push(pixel(i % channels, Math.floor(i / channels / patch), Math.floor(i / channels) % patch));
          else tokens.push(pixel(Math.floor(i / patch / patch), Math.floor(i / patch) % patch, i % patch));
        }
      }
    }
  }
  return Float64Array.from(tokens);
}

/** x [rows, from] cut, or padded with zeros, to [rows, to]. */
export function resized(x: ArrayLike<number>, rows: number, from: number, to: number): Float64Array {
  const out = new Float64Array(rows * to);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < Math.min(from, to); c++) out[r * to + c] = x[r * from + c] as number;
  return out;
}
