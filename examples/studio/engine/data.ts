import type { Dataset } from '../../../src/data/dataset.ts';
import { DataError, fetchDigits, filesDataset, shapesDataset } from '../../../src/run/index.ts';
import digits from '../generated/digits.bin?url';
import { isToy, toyDataset } from '../toy/data.ts';
import { OWN } from './own.ts';

/** Height and width to which a person's own pictures are brought. */
const OWN_SIZE = 32;
const SHAPES_SIZE = 28;

/** A dataset by the name that the page has for it. @param files a person's own pictures. @throws DataError. */
export async function datasetNamed(name: string, files: readonly File[]): Promise<Dataset> {
  if (name === 'digits') return fetchDigits(new URL(digits, globalThis.location.href));
  if (name === 'shapes') return shapesDataset({ size: SHAPES_SIZE });
  if (isToy(name)) return toyDataset(name);
  if (name !== OWN) throw new DataError(`there is no data ${name}`, 'choose one of the list');
  if (files.length === 0)
    throw new DataError('no pictures were chosen', 'drop some images, or a folder with a folder a class');
  return filesDataset(files, { name: OWN, size: OWN_SIZE });
}
