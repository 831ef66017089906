import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { IoError, systemReason } from './errors.ts';

/** One system call reads fewer bytes than 2^31. */
const MAX_READ = 2 ** 30;

/**
 * Reads a whole file, also one past the 2 GiB at which readFileSync ends.
 * @throws IoError that names the path, for what is absent, unreadable or no file.
 */
export function readBytes(path: string): Uint8Array {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error('not a file');
    const bytes = new Uint8Array(stat.size);
    let at = 0;
    while (at < bytes.byteLength) {
      const got = readSync(fd, bytes, at, Math.min(MAX_READ, bytes.byteLength - at), null);
      if (got === 0) break;
      at += got;
    }
    return bytes.subarray(0, at); // a file that shrank meanwhile is left to the parser to refuse
  } catch (error) {
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
