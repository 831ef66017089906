/** A decoded image. */
export interface Pixels {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
  /** u8 [channels, height, width]. */
  readonly data: Uint8Array;
}

/**
 * Resizes so that the shorter side is `size` and crops the longer one to the centre: torchvision's Resize and CenterCrop, whose
 * filter is Pillow's BILINEAR (a triangle as wide as the reduction; rows first, each pass rounded to 8 bits).
 */
export function resizeAndCrop(image: Pixels, size: number): Pixels {
  const { channels, height, width } = image;
  const short = Math.min(height, width);
  const [h, w] = [Math.trunc((size * height) / short), Math.trunc((size * width) / short)];
  const [top, left] = [roundEven((h - size) / 2), roundEven((w - size) / 2)];
  const across = taps(width, w, left, size);
  const down = taps(height, h, top, size);
  const narrow = new Uint8Array(channels * height * size);
  for (let row = 0; row < channels * height; row++)
    for (let x = 0; x < size; x++) narrow[row * size + x] = weighed(image.data, row * width, 1, across[x] as Taps);
  const data = new Uint8Array(channels * size * size);
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++)
        data[(c * size + y) * size + x] = weighed(narrow, c * height * size + x, size, down[y] as Taps);
  return { channels, height: size, width: size, data };
}

interface Taps {
  readonly first: number;
  /** Sum 1. */
  readonly weights: readonly number[];
}

/** For `count` outputs from `from` on, of `after` that `before` values are resized to. */
function taps(before: number, after: number, from: number, count: number): Taps[] {
  const scale = before / after;
  const support = Math.max(1, scale);
  return Array.from({ length: count }, (_, i) => {
    const centre = (from + i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(before, Math.trunc(centre + support + 0.5));
    const raw = Array.from({ length: end - first }, (_, k) =>
      Math.max(0, 1 - Math.abs((first + k - centre + 0.5) / support)),
    );
    const sum = raw.reduce((a, b) => a + b, 0);
    return { first, weights: raw.map((weight) => weight / sum) };
  });
}

function weighed(data: Uint8Array, base: number, stride: number, { first, weights }: Taps): number {
  let sum = 0;
  for (let k = 0; k < weights.length; k++)
    sum += (weights[k] as number) * (data[base + (first + k) * stride] as number);
  return Math.min(255, Math.floor(sum + 0.5));
}

/** Python's round: halves go to the even number. */
function roundEven(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}
