import { encode } from 'fast-png';
import { IoError } from './errors.ts';

/** Samples [n, c, h, w] with values in [-1, 1], c of 1 (grey) or 3 (RGB). */
export interface ImageBatch {
  readonly n: number;
  readonly c: number;
  readonly h: number;
  readonly w: number;
  /** Images side by side. */
  readonly columns: number;
}

/** 8-bit pixels, channels last. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** Pixels between images, black. */
const GAP = 2;

/**
 * Lays samples out in rows and columns. Values outside [-1, 1] are clipped and a value that is not a number is black.
 * @throws IoError for a number of channels that is no picture.
 */
export function imageGrid(samples: ArrayLike<number>, { n, c, h, w, columns }: ImageBatch): Picture {
  if (c !== 1 && c !== 3)
    throw new IoError('shape', 'a picture', `it has ${c} channels`, 'draw images of 1 (grey) or 3 (RGB) channels');
  const across = Math.min(n, columns);
  const width = across * (w + GAP) - GAP;
  const height = Math.ceil(n / across) * (h + GAP) - GAP;
  const data = new Uint8Array(width * height * c);
  for (let i = 0; i < n; i++) {
    const left = (i % across) * (w + GAP);
    const top = Math.floor(i / across) * (h + GAP);
    for (let channel = 0; channel < c; channel++) {
      for (let y = 0; y < h; y++) {
        for (let x = 0; x < w; x++) {
          const value = samples[((i * c + channel) * h + y) * w + x] as number;
          data[((top + y) * width + left + x) * c + channel] = byteOf(value);
        }
      }
    }
  }
  return { width, height, channels: c, data };
}

/** imageGrid as the bytes of a PNG file. */
export function encodeGrid(samples: ArrayLike<number>, batch: ImageBatch): Uint8Array {
  return encodePicture(imageGrid(samples, batch));
}

/** One picture as the bytes of a PNG file. */
export function encodePicture({ width, height, channels, data }: Picture): Uint8Array {
  return encode({ width, height, channels, depth: 8, data });
}

/** A value of -1..1 as one of 0..255, clipped. */
function byteOf(value: number): number {
  return Math.round((Math.min(1, Math.max(-1, value)) + 1) * 127.5);
}

/** Samples [N, C, H, W] of -1..1, of `pixels` values a channel, as bytes [N, H, W, C], clipped. */
export function imageBytes(samples: Float32Array, channels: number, pixels: number): Uint8Array<ArrayBuffer> {
  const one = channels * pixels;
  const out = new Uint8Array(samples.length);
  for (let i = 0; i < samples.length; i++) {
    const at = i % one;
    out[i - at + (at % pixels) * channels + Math.floor(at / pixels)] = byteOf(samples[i] as number);
  }
  return out;
}
