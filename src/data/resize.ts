/** A decoded image. */
export interface Pixels {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
  /** u8 [channels, height, width]. */
  readonly data: Uint8Array;
}

/** A kernel of Pillow's, by its value at a distance in pixels of the smaller image. */
interface Kernel {
  /** Distance from which on it is 0. */
  readonly support: number;
  readonly at: (distance: number) => number;
}

const BILINEAR: Kernel = { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) };
const BOX: Kernel = { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) };
/** Keys' cubic with a = -1/2. */
const BICUBIC: Kernel = {
  support: 2,
  at: (x) => {
    const d = Math.abs(x);
    if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
    return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
  },
};

/** A part of an image: where it begins, and its size. */
interface Window {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** How an image becomes a square: `resize` as torchvision does, `centre` as ADM does. */
export type Crop = 'resize' | 'centre';

/** The square of an image. */
export function squareOf(image: Pixels, size: number, crop: Crop = 'resize'): Pixels {
  return crop === 'centre' ? centreCrop(image, size) : resizeAndCrop(image, size);
}

/**
 * Resizes so that the shorter side is `size` and crops the longer one to the centre: torchvision's Resize and CenterCrop, whose
 * filter is Pillow's BILINEAR (a triangle as wide as the reduction; rows first, each pass rounded to 8 bits).
 */
export function resizeAndCrop(image: Pixels, size: number): Pixels {
  const { height, width } = image;
  const short = Math.min(height, width);
  const [h, w] = [Math.trunc((size * height) / short), Math.trunc((size * width) / short)];
  const window = { top: roundEven((h - size) / 2), left: roundEven((w - size) / 2), height: size, width: size };
  return resized(image, h, w, BILINEAR, window);
}

/**
 * Crops as ADM does (Dhariwal and Nichol 2021, `center_crop_arr`), and UCGM before an autoencoder: halved by boxes as long as the
 * shorter side is at least twice `size`, resized by Pillow's BICUBIC so that it is `size`, the longer side cropped to its centre.
 */
export function centreCrop(image: Pixels, size: number): Pixels {
  let small = image;
  while (Math.min(small.height, small.width) >= 2 * size) {
    const [height, width] = [small.height >> 1, small.width >> 1];
    small = resized(small, height, width, BOX, { top: 0, left: 0, height, width });
  }
  const scale = size / Math.min(small.height, small.width);
  const [h, w] = [roundEven(small.height * scale), roundEven(small.width * scale)];
  return resized(small, h, w, BICUBIC, { top: (h - size) >> 1, left: (w - size) >> 1, height: size, width: size });
}

/** A window of the image resized to [height, width], as Pillow does: rows first, each pass rounded to 8 bits. */
function resized(image: Pixels, toHeight: number, toWidth: number, kernel: Kernel, window: Window): Pixels {
  const { channels, height, width } = image;
  const across = taps(width, toWidth, kernel, window.left, window.width);
  const down = taps(height, toHeight, kernel, window.top, window.height);
  const narrow = new Uint8Array(channels * height * window.width);
  for (let row = 0; row < channels * height; row++)
    for (let x = 0; x < window.width; x++)
      narrow[row * window.width + x] = weighed(image.data, row * width, 1, across[x] as Taps);
  const data = new Uint8Array(channels * window.height * window.width);
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < window.height; y++)
      for (let x = 0; x < window.width; x++)
        data[(c * window.height + y) * window.width + x] = weighed(
          narrow,
          c * height * window.width + x,
          window.width,
          down[y] as Taps,
        );
  return { channels, height: window.height, width: window.width, data };
}

interface Taps {
  readonly first: number;
  /** Sum 1. */
  readonly weights: readonly number[];
}

/** For `count` outputs from `from` on, of `after` that `before` values are resized to. */
function taps(before: number, after: number, kernel: Kernel, from: number, count: number): Taps[] {
  const scale = before / after;
  const wide = Math.max(1, scale);
  const support = kernel.support * wide;
  return Array.from({ length: count }, (_, i) => {
    const centre = (from + i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(before, Math.trunc(centre + support + 0.5));
    const raw = Array.from({ length: end - first }, (_, k) => kernel.at((first + k - centre + 0.5) / wide));
    const sum = raw.reduce((a, b) => a + b, 0);
    return { first, weights: raw.map((weight) => weight / sum) };
  });
}

function weighed(data: Uint8Array, base: number, stride: number, { first, weights }: Taps): number {
  let sum = 0;
  for (let k = 0; k < weights.length; k++)
    sum += (weights[k] as number) * (data[base + (first + k) * stride] as number);
  return Math.min(255, Math.max(0, Math.floor(sum + 0.5)));
}

/** Python's round: halves go to the even number. */
function roundEven(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}
