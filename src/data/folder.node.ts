import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { decode } from 'fast-png';
import { ArrayDataset, DataError } from './dataset.ts';

interface Pixels {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
  /** u8 [channels, height, width]. */
  readonly data: Uint8Array;
}

/**
 * A folder of class folders of PNG files: classes by folder name, in order; images by file name, in order. 8 and 16 bits a
 * channel, grey or RGB, palette or not; transparency is left out. All images have one size and one number of channels.
 * @throws DataError naming the folder or the file that does not fit.
 */
export function loadImageFolder(path: string): ArrayDataset {
  const classNames = readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
  if (classNames.length === 0) {
    throw new DataError(`${path} holds no class folders`, 'put the PNG files of each class into a folder of their own');
  }
  const images: Uint8Array[] = [];
  const labels: number[] = [];
  let first: (Pixels & { file: string }) | undefined;
  for (const [label, name] of classNames.entries()) {
    const folder = join(path, name);
    const files = readdirSync(folder).filter((file) => /\.png$/i.test(file));
    if (files.length === 0)
      throw new DataError(`${folder} holds no PNG files`, 'add images to the class, or remove its folder');
    for (const file of files.sort().map((f) => join(folder, f))) {
      const pixels = readPng(file);
      first ??= { ...pixels, file };
      if (pixels.channels !== first.channels || pixels.height !== first.height || pixels.width !== first.width) {
        const size = (p: Pixels) => `${p.width} x ${p.height} with ${p.channels} channels`;
        throw new DataError(
          `${file} is ${size(pixels)}, ${first.file} is ${size(first)}`,
          'give all images one size and kind',
        );
      }
      images.push(pixels.data);
      labels.push(label);
    }
  }
  const { channels, height, width } = first as Pixels;
  const all = new Uint8Array(images.length * channels * height * width);
  for (const [i, image] of images.entries()) all.set(image, i * image.length);
  return new ArrayDataset({
    name: basename(path),
    channels,
    height,
    width,
    classNames,
    labels: Uint32Array.from(labels),
    images: all,
  });
}

/** Channels of a decoded PNG that are colour: transparency, the last of 2 or 4, is not. */
const COLOURS: { readonly [channels: number]: 1 | 3 } = { 1: 1, 2: 1, 3: 3, 4: 3 };

function readPng(file: string): Pixels {
  let png: ReturnType<typeof decode>;
  try {
    png = decode(readFileSync(file));
  } catch (error) {
    throw new DataError(
      `${file} is no readable PNG (${(error as Error).message})`,
      'write the image again, or remove it',
    );
  }
  const { width, height, palette } = png;
  const channels = palette ? 3 : COLOURS[png.channels];
  if (!channels || (png.depth !== 8 && png.depth !== 16)) {
    throw new DataError(
      `${file} has ${png.channels} channels of ${png.depth} bits`,
      'use grey or RGB images of 8 or 16 bits',
    );
  }
  const top = png.depth === 16 ? 257 : 1;
  const data = new Uint8Array(channels * height * width);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < channels; c++) {
      const value = palette ? palette[png.data[i] as number]?.[c] : (png.data[i * png.channels + c] as number) / top;
      data[c * height * width + i] = Math.round(value ?? 0);
    }
  }
  return { channels, height, width, data };
}
