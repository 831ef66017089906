import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ArrayDataset, DataError } from './dataset.ts';
import { imagesFingerprint } from './fingerprint.node.ts';
import { type IdxArray, type IdxSet, idxFile, idxImages, parseIdx } from './idx.ts';

/** Most bytes a gzipped file may unpack to. */
const MAX_UNPACKED = 2 ** 31;

/** True when the folder holds the images of a training set in MNIST's idx format. */
export function isIdxFolder(path: string): boolean {
  return readdirSync(path).some((name) => idxFile('train', 'images').test(name));
}

/**
 * The training set (or `t10k`, the test set) of a folder with MNIST's idx files, grey images and one label each.
 * @throws DataError naming the file that is missing, damaged or of another shape.
 */
export function loadIdxFolder(path: string, set: IdxSet = 'train'): ArrayDataset {
  const names = readdirSync(path);
  const read = (kind: 'images' | 'labels', rank: number): IdxArray => {
    const name = names.find((n) => idxFile(set, kind).test(n));
    if (!name)
      throw new DataError(`${path} has no ${set}-${kind} file`, `add ${set}-${kind}-idx${rank}-ubyte, gzipped or not`);
    return parseIdx(unpacked(join(path, name)), join(path, name));
  };
  const arrays = idxImages(basename(path), read('images', 3), read('labels', 1), path);
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
