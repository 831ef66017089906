import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { basename, resolve } from 'node:path';
import { ArrayDataset } from './dataset.ts';
import { decodeImage } from './decode_image.node.ts';
import { imagesFingerprint } from './fingerprint.node.ts';
import { gatherImages } from './gather.ts';
import { imageTree } from './image_files.node.ts';
import type { Crop } from './resize.ts';

/**
 * A folder of images (PNG of 1 to 16 bits, JPEG, WebP): classes and order as imageTree says. Transparency is left out. Grey
 * images become RGB where any image has colour; with `size` all are resized and cropped to that square, else all have one size.
 * @throws DataError naming the folder, the files that cannot be decoded, or how many there are of each size.
 */
export async function loadImageFolder(path: string, size?: number, crop?: Crop): Promise<ArrayDataset> {
  const { classes, leftOut } = imageTree(path);
  const arrays = await gatherImages({
    where: path,
    name: basename(resolve(path)),
    classes,
    notice: leftOut.line,
    size,
    crop,
    most: totalmem() / 2,
    decode: (file) => decodeImage(readFileSync(file.path), file.format),
    unreadable: (file) => `${file.path} is no readable ${file.format}`,
  });
  return new ArrayDataset({ ...arrays, fingerprint: imagesFingerprint(arrays) });
}
