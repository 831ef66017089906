import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ArrayDataset, DataError } from './dataset.ts';
import { imagesFingerprint } from './fingerprint.node.ts';
import { type IdxArray, parseIdx } from './idx.ts';

/** Most bytes a gzipped file may unpack to. */
const MAX_UNPACKED = 2 ** 31;

/** A set of MNIST by the name that its files begin with. */
export type IdxSet = 'train' | 't10k';

/** Both spellings of MNIST's mirrors, `train-images-idx3-ubyte` and `train-images.idx3-ubyte`, gzipped or not. */
const fileOf = (set: IdxSet, kind: 'images' | 'labels') =>
  new RegExp(`^${set}-${kind}[-.]idx${kind === 'images' ? 3 : 1}-ubyte(\\.gz)?$`);

/** True when the folder holds the images of a training set in MNIST's idx format. */
export function isIdxFolder(path: string): boolean {
  return readdirSync(path).some((name) => fileOf('train', 'images').test(name));
}

/**
 * The training set (or `t10k`, the test set) of a folder with MNIST's idx files, grey images and one label each.
 * @throws DataError naming the file that is missing, damaged or of another shape.
 */
export function loadIdxFolder(path: string, set: IdxSet = 'train'): ArrayDataset {
  const names = readdirSync(path);
  const read = (kind: 'images' | 'labels', rank: number): IdxArray => {
    const name = names.find((n) => fileOf(set, kind).test(n));
    if (!name)
      throw new DataError(`${path} has no ${set}-${kind} file`, `add ${set}-${kind}-idx${rank}-ubyte, gzipped or not`);
    const array = parseIdx(unpacked(join(path, name)), join(path, name));
    if (array.shape.length !== rank) {
      throw new DataError(`${join(path, name)} has shape [${array.shape}]`, `give ${kind} with ${rank} dimensions`);
    }
    return array;
  };
  const images = read('images', 3);
  const labels = read('labels', 1);
  const [count, height, width] = images.shape as [number, number, number];
  if (labels.shape[0] !== count) {
    throw new DataError(`${path}: ${count} images but ${labels.shape[0]} labels`, 'use files that belong together');
  }
  const classes = labels.data.reduce((most, label) => Math.max(most, label + 1), 0);
  const arrays = {
    name: basename(path),
    channels: 1,
    height,
    width,
    classNames: Array.from({ length: classes }, (_, i) => String(i)),
    labels: Uint32Array.from(labels.data),
    images: images.data,
  };
  return new ArrayDataset({ ...arrays, fingerprint: imagesFingerprint(arrays) });
}

function unpacked(path: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new DataError(`${path} cannot be read (${(error as Error).message})`, 'check the file');
  }
  if (!path.endsWith('.gz')) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_UNPACKED });
  } catch (error) {
    throw new DataError(`${path} cannot be unpacked (${(error as Error).message})`, 'download the file again');
  }
}
