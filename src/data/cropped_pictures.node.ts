import { readFileSync } from 'node:fs';
import { DataError } from './dataset.ts';
import { decodeImage } from './decode_image.node.ts';
import type { ImageTree } from './image_files.node.ts';
import { centreCrop, type Pixels } from './resize.ts';

const CHANNELS = 3;

/** A picture as an autoencoder takes it. */
export interface CroppedPicture {
  /** [3, height, width] in -1..1; grey in all channels. */
  readonly values: Float32Array<ArrayBuffer>;
  readonly height: number;
  readonly width: number;
  /** Of its class. */
  readonly label: number;
}

/**
 * The pictures of a folder one after the other, so that its size does not matter: cropped to a square of `size` as ADM does, or as
 * they are, which must then be of one size. Those that cannot be read are left out, and counted in the tree.
 * @throws DataError for pictures of differing sizes.
 */
export async function* croppedPictures({ classes, leftOut }: ImageTree, size?: number): AsyncGenerator<CroppedPicture> {
  let first: Pixels | undefined;
  for (const [label, { files }] of classes.entries()) {
    for (const { path, format } of files) {
      let image: Pixels;
      try {
        image = await decodeImage(readFileSync(path), format);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        leftOut.add(`unreadable ${format} files`, `${path}: ${why}`);
        continue;
      }
      if (size !== undefined) image = centreCrop(image, size);
      first ??= image;
      const { height, width } = image;
      if (height !== first.height || width !== first.width)
        throw new DataError(
          `${path} is ${width}x${height}, the pictures before it ${first.width}x${first.height}`,
          'give --size: all are then cropped and resized to that square',
        );
      yield { values: colours(image), height, width, label };
    }
  }
}

/** u8 of one or three channels as three of -1..1. */
function colours({ data, height, width }: Pixels): Float32Array<ArrayBuffer> {
  const values = new Float32Array(CHANNELS * height * width);
  for (let i = 0; i < values.length; i++) values[i] = (data[i % data.length] as number) / 127.5 - 1;
  return values;
}

/** Pictures [n, 3, H, W] mirrored left to right. */
export function mirrored(values: Float32Array, width: number): Float32Array<ArrayBuffer> {
  const out = Float32Array.from(values);
  for (let row = 0; row < out.length; row += width) out.subarray(row, row + width).reverse();
  return out;
}
