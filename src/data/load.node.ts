import { statSync } from 'node:fs';
import { DataError, type Dataset, padTo } from './dataset.ts';
import { loadDigits } from './digits.node.ts';
import { loadImageFolder } from './folder.node.ts';
import { isIdxFolder, loadIdxFolder } from './idx.node.ts';
import { shapesDataset } from './shapes.ts';

/** Which data: a name or a folder, and the square size to pad the images to. */
export interface DataRequest {
  readonly name: string;
  readonly size?: number;
}

/**
 * Loads `digits` (real handwritten digits), `shapes` (drawn), or a folder: MNIST's idx files, or class folders of PNGs.
 * @throws DataError for a name that is none of these, and for data that cannot be read.
 */
export async function loadDataset({ name, size }: DataRequest): Promise<Dataset> {
  const dataset = await named(name);
  return size === undefined ? dataset : padTo(dataset, size);
}

async function named(name: string): Promise<Dataset> {
  if (name === 'digits') return loadDigits();
  if (name === 'shapes') return shapesDataset();
  if (!statSync(name, { throwIfNoEntry: false })?.isDirectory()) {
    throw new DataError(
      `--data ${name} is no dataset`,
      'use digits, shapes, or a folder with class folders of PNGs or with MNIST idx files',
    );
  }
  return isIdxFolder(name) ? loadIdxFolder(name) : loadImageFolder(name);
}
