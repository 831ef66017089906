import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { IoError, systemReason } from './errors.ts';

/** One system call reads fewer bytes than 2^31. */
const MAX_READ = 2 ** 30;

/** Fills `bytes` from the file's position on; returns what was there of it. */
export function readAll(fd: number, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  let at = 0;
  while (at < bytes.byteLength) {
    const got = readSync(fd, bytes, at, Math.min(MAX_READ, bytes.byteLength - at), null);
    if (got === 0) break;
    at += got;
  }
  return bytes.subarray(0, at); // a file that shrank meanwhile is left to the parser to refuse
}

/** Opens a file for as long as `use` reads it; a failure of the system becomes an IoError that names the path. */
export function withFile<T>(path: string, use: (fd: number, size: number) => T): T {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error('not a file');
    return use(fd, stat.size);
  } catch (error) {
    if (error instanceof IoError) throw error;
    throw new IoError(
      'read',
      path,
      `it cannot be read (${systemReason(error)})`,
      'check the path and its permissions',
      error,
    );
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/**
 * Reads a whole file, also one past the 2 GiB at which readFileSync ends.
 * @throws IoError that names the path, for what is absent, unreadable or no file.
 */
export function readBytes(path: string): Uint8Array {
  return withFile(path, (fd, size) => readAll(fd, new Uint8Array(size)));
}
