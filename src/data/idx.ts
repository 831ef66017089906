import { DataError, type ImageArrays } from './dataset.ts';

/** One array of MNIST's idx format: unsigned bytes of a shape. */
export interface IdxArray {
  readonly shape: number[];
  /** A view into the file's bytes. */
  readonly data: Uint8Array;
}

/** A set of MNIST by the name that its files begin with. */
export type IdxSet = 'train' | 't10k';

/** Both spellings of MNIST's mirrors, `train-images-idx3-ubyte` and `train-images.idx3-ubyte`, gzipped or not. */
export const idxFile = (set: IdxSet, kind: 'images' | 'labels'): RegExp =>
  new RegExp(`^${set}-${kind}[-.]idx${kind === 'images' ? 3 : 1}-ubyte(\\.gz)?$`);

const UNSIGNED_BYTE = 0x08;

/**
 * Reads an idx file (two zero bytes, the type, the rank, a big-endian u32 a dimension, the data) without copying.
 * @param where the file's name, for errors.
 * @throws DataError for anything that is not exactly such a file of unsigned bytes.
 */
export function parseIdx(bytes: Uint8Array, where: string): IdxArray {
  const again = 'download the file again';
  if (bytes.byteLength < 4)
    throw new DataError(`${where}: ${bytes.byteLength} bytes are too few for an idx file`, again);
  const [zero, zeroToo, type, rank] = bytes as unknown as [number, number, number, number];
  if (zero !== 0 || zeroToo !== 0 || rank === 0) {
    throw new DataError(`${where} is no idx file`, "give files of MNIST's idx format, gzipped or not");
  }
  if (type !== UNSIGNED_BYTE) {
    throw new DataError(`${where} holds type 0x${type.toString(16)}`, 'give an idx file of unsigned bytes (type 0x8)');
  }
  const start = 4 + 4 * rank;
  if (bytes.byteLength < start) throw new DataError(`${where} ends within its header of ${start} bytes`, again);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const elements = shape.reduce((product, size) => product * size, 1);
  if (bytes.byteLength - start !== elements) {
    throw new DataError(
      `${where}: [${shape}] takes ${elements} bytes, ${bytes.byteLength - start} follow the header`,
      again,
    );
  }
  return { shape, data: bytes.subarray(start) };
}

/**
 * MNIST's images [N, H, W] and labels [N] as the arrays of a dataset, a class for each number up to the greatest label.
 * @param name of the dataset. @param where the files, for errors.
 * @throws DataError for arrays of other shapes, or that do not belong together.
 */
export function idxImages(name: string, images: IdxArray, labels: IdxArray, where: string): ImageArrays {
  for (const [what, { shape }, rank] of [
    ['images', images, 3],
    ['labels', labels, 1],
  ] as const)
    if (shape.length !== rank)
      throw new DataError(`${where}: the ${what} have shape [${shape}]`, `give ${what} with ${rank} dimensions`);
  const [count, height, width] = images.shape as [number, number, number];
  if (labels.shape[0] !== count)
    throw new DataError(`${where}: ${count} images but ${labels.shape[0]} labels`, 'use files that belong together');
  const classes = labels.data.reduce((most, label) => Math.max(most, label + 1), 0);
  return {
    name,
    channels: 1,
    height,
    width,
    classNames: Array.from({ length: classes }, (_, i) => String(i)),
    labels: Uint32Array.from(labels.data),
    images: images.data,
  };
}
