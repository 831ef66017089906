import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { Zip, ZipPassThrough } from 'fflate';
import { temporaryName, writeAll } from './atomic.node.ts';
import { IoError, systemReason } from './errors.ts';

/** Element types of arrays that are written, as NumPy spells them. */
export type NpyType = '|u1' | '<i8';

/** Bytes of a zip's entry, and of the whole, that its 32-bit fields hold. */
export const MAX_NPZ_BYTES = 2 ** 32 - 2 ** 16;

/** The header of an array in NumPy's format 1.0, C order; the data follow it. */
export function npyHeader(type: NpyType, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const dims = `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`;
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': ${dims}, }`;
  const start = 10;
  const length = Math.ceil((start + text.length + 1) / 64) * 64 - start; // the data begin at a multiple of 64
  const out = new Uint8Array(start + length).fill(0x20);
  out.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, length & 255, length >> 8]); // \x93NUMPY 1.0
  out.set(new TextEncoder().encode(text), start);
  out[out.length - 1] = 0x0a;
  return out;
}

/**
 * Writes an .npz array by array and piece by piece, so that it never is in memory; stored, not compressed. The file appears at
 * its path complete or not at all.
 */
export class NpzWriter {
  readonly #path: string;
  readonly #temporary: string;
  readonly #zip: Zip;
  #fd: number | undefined;
  #entry: ZipPassThrough | undefined;

  /** @throws IoError where the file cannot be written. */
  constructor(path: string) {
    this.#path = path;
    this.#temporary = temporaryName(path);
    this.#fd = this.#try(() => openSync(this.#temporary, 'w'));
    this.#zip = new Zip((error, bytes) => {
      if (error) throw error;
      this.#try(() => writeAll(this.#fd as number, bytes));
    });
  }

  /** Begins the next array; the one before is whole. */
  begin(name: string, type: NpyType, shape: readonly number[]): void {
    this.#endEntry();
    this.#entry = new ZipPassThrough(`${name}.npy`);
    this.#entry.mtime = new Date(1980, 0, 1); // the same arrays are the same bytes
    this.#zip.add(this.#entry);
    this.#entry.push(npyHeader(type, shape));
  }

  /** Adds data to the array that was begun. */
  push(bytes: Uint8Array): void {
    this.#entry?.push(bytes);
  }

  /** Ends the file and puts it in its place. */
  close(): void {
    this.#endEntry();
    this.#zip.end();
    this.#try(() => {
      fsyncSync(this.#fd as number);
      closeSync(this.#fd as number);
      this.#fd = undefined;
      renameSync(this.#temporary, this.#path);
    });
  }

  /** Leaves nothing behind. */
  discard(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    rmSync(this.#temporary, { force: true });
  }

  #endEntry(): void {
    this.#entry?.push(new Uint8Array(0), true);
    this.#entry = undefined;
  }

  #try<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      const fix = 'check that the folder exists, is writable and has space';
      throw new IoError('write', this.#path, `it cannot be written (${systemReason(error)})`, fix, error);
    }
  }
}
