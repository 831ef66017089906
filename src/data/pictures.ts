import { ArrayDataset, DataError } from './dataset.ts';
import { fingerprintOf } from './fingerprint.ts';
import { gatherImages } from './gather.ts';
import type { Pixels } from './resize.ts';

/** An image as a canvas has it: RGBA, four bytes a pixel, rows from the top. A page's ImageData is one. */
export interface RgbaImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** What is known of pictures beside their pixels. */
export interface PictureOptions {
  /** Of the dataset. */
  readonly name?: string;
  /** A class each; all are of one class if left out. */
  readonly labels?: ArrayLike<number>;
  readonly classNames?: readonly string[];
  /** Resizes and crops all to this square; all have one size otherwise. */
  readonly size?: number;
}

/** Bytes that the images of a page's dataset may take. */
export const MOST_IN_A_PAGE = 2 ** 30;

/** RGBA as planes: grey where asked for, of its red; transparency is left out. */
export function planesOf({ width, height, data }: RgbaImage, channels: 1 | 3): Pixels {
  const pixels = width * height;
  const planes = new Uint8Array(channels * pixels);
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < pixels; i++) planes[c * pixels + i] = data[4 * i + c] as number;
  return { channels, height, width, data: planes };
}

/** Whether no pixel has a colour. */
export function isGrey({ data }: RgbaImage): boolean {
  for (let i = 0; i < data.length; i += 4) if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) return false;
  return true;
}

/**
 * A dataset of pictures in memory, ImageData for example. Of one channel where no picture has a colour.
 * @throws DataError for pictures of differing sizes, unless `size` is given, and for labels that do not fit.
 */
export async function picturesDataset(
  pictures: readonly RgbaImage[],
  { name = 'pictures', labels, classNames, size }: PictureOptions = {},
): Promise<ArrayDataset> {
  const given = labels ? Array.from(labels) : pictures.map(() => 0);
  if (given.length !== pictures.length)
    throw new DataError(`${name}: ${pictures.length} pictures, ${given.length} labels`, 'give a label for each');
  const wrong = given.find((label) => !(Number.isInteger(label) && label >= 0));
  if (wrong !== undefined) throw new DataError(`${name}: a label is ${wrong}`, 'give whole numbers from 0 on');
  const classes = Math.max(
    classNames?.length ?? 0,
    given.reduce((most, label) => Math.max(most, label + 1), 1),
  );
  const channels = pictures.every(isGrey) ? 1 : 3;
  const arrays = await gatherImages({
    where: name,
    name,
    classes: pictures.length > 0 ? [{ name: 'all', files: pictures }] : [],
    size,
    most: MOST_IN_A_PAGE,
    decode: async (picture) => planesOf(picture, channels),
    unreadable: () => 'a picture is no image',
  });
  const named = {
    ...arrays,
    classNames: Array.from({ length: classes }, (_, i) => classNames?.[i] ?? String(i)),
    labels: Uint32Array.from(given),
  };
  return new ArrayDataset({ ...named, fingerprint: await fingerprintOf(named) });
}
