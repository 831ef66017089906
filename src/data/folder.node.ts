import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { basename, resolve } from 'node:path';
import { ArrayDataset, DataError } from './dataset.ts';
import { decodeImage, type Pixels } from './decode_image.node.ts';
import { imagesFingerprint } from './fingerprint.node.ts';
import { type ImageFile, imageTree } from './image_files.node.ts';
import { resizeAndCrop } from './resize.ts';

/** Files that an error names before it only counts. */
const NAMED = 3;

/**
 * A folder of images (PNG of 1 to 16 bits, JPEG, WebP): classes and order as imageTree says. Transparency is left out. Grey
 * images become RGB where any image has colour; with `size` all are resized and cropped to that square, else all have one size.
 * @throws DataError naming the folder, the files that cannot be decoded, or how many there are of each size.
 */
export async function loadImageFolder(path: string, size?: number): Promise<ArrayDataset> {
  const { classes, leftOut } = imageTree(path);
  const notice = leftOut.line;
  if (classes.length === 0) {
    throw new DataError(
      `${path} holds no images${notice ? `; ${notice}` : ''}`,
      'give PNG, JPEG or WebP files, those of each class in a folder of their own',
    );
  }
  const files = classes.flatMap((one, label) => one.files.map((file) => ({ file, label })));
  if (size !== undefined) checkMemory(path, files.length, 3 * size * size);
  const images: Pixels[] = [];
  const faults: string[] = [];
  const sizes = new Map<string, number>();
  for (const { file } of files) {
    try {
      const image = await decode(file, size);
      const key = `${image.width}x${image.height}`;
      sizes.set(key, (sizes.get(key) ?? 0) + 1);
      if (sizes.size === 1) images.push(image);
    } catch (error) {
      faults.push(`${file.path} is no readable ${file.format} (${error instanceof Error ? error.message : error})`);
    }
  }
  if (faults.length > 0) {
    const more = faults.length > NAMED ? `; and ${faults.length - NAMED} more` : '';
    throw new DataError(faults.slice(0, NAMED).join('; ') + more, 'write the images again, or remove them');
  }
  if (sizes.size > 1) {
    const list = [...sizes].sort((a, b) => b[1] - a[1]).map(([key, count]) => `${count} of ${key}`);
    const more = list.length > 10 ? ` and ${list.length - 10} more sizes` : '';
    throw new DataError(
      `${path} holds images of differing sizes: ${list.slice(0, 10).join(', ')}${more}`,
      'set data.size: all are then resized and cropped to that square',
    );
  }
  const { height, width } = images[0] as Pixels;
  const channels = images.some((image) => image.channels === 3) ? 3 : 1;
  checkMemory(path, images.length, channels * height * width);
  const all = new Uint8Array(images.length * channels * height * width);
  for (const [i, { data }] of images.entries())
    for (let at = 0; at < channels * height * width; at += data.length)
      all.set(data, i * channels * height * width + at); // a grey image three times
  const arrays = {
    name: basename(resolve(path)),
    channels,
    height,
    width,
    classNames: classes.map(({ name }) => name),
    labels: Uint32Array.from(files, ({ label }) => label),
    images: all,
    ...(notice !== undefined && { notice }),
  };
  return new ArrayDataset({ ...arrays, fingerprint: imagesFingerprint(arrays) });
}

async function decode({ path, format }: ImageFile, size?: number): Promise<Pixels> {
  const image = await decodeImage(readFileSync(path), format);
  return size === undefined ? image : resizeAndCrop(image, size);
}

function checkMemory(path: string, count: number, bytes: number): void {
  if (count * bytes <= totalmem() / 2) return;
  throw new DataError(
    `${path}: ${count} images at this size take ${((count * bytes) / 2 ** 30).toFixed(0)} GiB of memory`,
    'set data.size lower, or encode them to latent shards',
  );
}
