import { DataError } from './dataset.ts';

/** One array of MNIST's idx format: unsigned bytes of a shape. */
export interface IdxArray {
  readonly shape: number[];
  /** A view into the file's bytes. */
  readonly data: Uint8Array;
}

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
