import { ArrayDataset, DataError } from './dataset.ts';
import { fingerprintOf } from './fingerprint.ts';
import { gatherImages } from './gather.ts';
import { gunzipped } from './gunzip.ts';
import { idxFile, idxImages, parseIdx } from './idx.ts';
import { imageFormat, type ReadFormat } from './image_format.ts';
import { jpegComponents } from './jpeg_header.ts';
import { LeftOut } from './left_out.ts';
import { isGrey, MOST_IN_A_PAGE, planesOf, type RgbaImage } from './pictures.ts';
import type { Pixels } from './resize.ts';

/** How the files of a page become a dataset. */
export interface FilesOptions {
  /** Of the dataset; that of the folder they came in if left out. */
  readonly name?: string;
  /** Resizes and crops all to this square; all have one size otherwise. */
  readonly size?: number;
}

interface ImageFile {
  readonly path: string;
  readonly file: Blob;
  readonly format: ReadFormat;
}

/**
 * A dataset of files that were chosen or dropped: MNIST's idx files, or images (PNG, JPEG, WebP), whose folders are the classes, as in
 * Node. The path of a file is its `webkitRelativePath`, or its name. The browser decodes the images: what is transparent is black.
 * @throws DataError naming the files that are missing, damaged or of another size.
 */
export async function filesDataset(files: Iterable<File>, { name, size }: FilesOptions = {}): Promise<ArrayDataset> {
  const all = Array.from(files, (file) => ({ path: file.webkitRelativePath || file.name, file }));
  const named = name ?? (all[0]?.path.includes('/') ? (all[0].path.split('/')[0] as string) : 'files');
  const idx = all.find(({ file }) => idxFile('train', 'images').test(file.name));
  const arrays = idx ? await idxArrays(named, all) : await imageArrays(named, all, size);
  return new ArrayDataset({ ...arrays, fingerprint: await fingerprintOf(arrays) });
}

interface Named {
  readonly path: string;
  readonly file: File;
}

async function idxArrays(name: string, all: readonly Named[]) {
  const read = async (kind: 'images' | 'labels') => {
    const found = all.find(({ file }) => idxFile('train', kind).test(file.name));
    if (!found)
      throw new DataError(
        `${name} has no train-${kind} file`,
        `add train-${kind}-idx${kind === 'images' ? 3 : 1}-ubyte`,
      );
    return parseIdx(await gunzipped(new Uint8Array(await found.file.arrayBuffer()), found.path), found.path);
  };
  return idxImages(name, await read('images'), await read('labels'), name);
}

async function imageArrays(name: string, all: readonly Named[], size: number | undefined) {
  const leftOut = new LeftOut();
  const images: ImageFile[] = [];
  for (const { path, file } of all) {
    const format = imageFormat(new Uint8Array(await file.slice(0, 16).arrayBuffer()));
    if (format === 'PNG' || format === 'JPEG' || format === 'WebP') images.push({ path, file, format });
    else leftOut.add(`${format ?? /\.[^.]+$/.exec(path)?.[0] ?? 'nameless'} files`, path);
  }
  return gatherImages({
    where: name,
    name,
    classes: classesOf(images, leftOut),
    notice: leftOut.line,
    size,
    most: MOST_IN_A_PAGE,
    decode: decodeFile,
    unreadable: ({ path, format }) => `${path} is no readable ${format}`,
  });
}

/** Images by the folder below the one that was given; those beside folders are left out, as in Node. */
function classesOf(images: readonly ImageFile[], leftOut: LeftOut): { name: string; files: ImageFile[] }[] {
  const classes = new Map<string, ImageFile[]>();
  const beside: ImageFile[] = [];
  const inOrder = [...images].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  for (const image of inOrder) {
    const [, folder, ...rest] = image.path.split('/');
    if (folder === undefined || rest.length === 0) beside.push(image);
    else if (classes.has(folder)) classes.get(folder)?.push(image);
    else classes.set(folder, [image]);
  }
  if (classes.size === 0) return beside.length > 0 ? [{ name: 'all', files: beside }] : [];
  for (const { path } of beside) leftOut.add('images beside the class folders', path);
  return [...classes].map(([name, files]) => ({ name, files }));
}

async function decodeFile({ file, format }: ImageFile): Promise<Pixels> {
  const image = await decodeImage(file);
  return planesOf(image, await channelsOf(file, format, image));
}

/** The channels that the file says it has: grey PNG and JPEG one, all else three. */
async function channelsOf(file: Blob, format: ReadFormat, image: RgbaImage): Promise<1 | 3> {
  if (format === 'WebP') return 3;
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (format === 'JPEG') return jpegComponents(bytes);
  return [0, 4].includes(bytes[25] as number) && isGrey(image) ? 1 : 3; // the colour type, of the header chunk
}

/** The pixels of an image as the browser shows them, without a change of its colours. */
async function decodeImage(file: Blob): Promise<RgbaImage> {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
  try {
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    if (!context) throw new Error('there is no canvas to decode it on');
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, width, height);
  } finally {
    bitmap.close();
  }
}
