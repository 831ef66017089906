import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { atomicWrite } from './atomic.node.ts';
import { IoError, systemReason } from './errors.ts';
import { encodeSafetensors, parseSafetensors, type Safetensors, type WritableTensor } from './safetensors.ts';

/** One system call reads fewer bytes than 2^31. */
const MAX_READ = 2 ** 30;

/** Reads a whole file, also one past the 2 GiB at which readFileSync ends. */
function readBytes(path: string): Uint8Array {
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

/**
 * Reads a safetensors file into memory; see parseSafetensors.
 * @throws IoError that names the path, for a file that is absent, unreadable or malformed.
 */
export function readSafetensors(path: string): Safetensors {
  return parseSafetensors(readBytes(path), path);
}

/**
 * Writes tensors as a safetensors file that appears at `path` complete or not at all; see encodeSafetensors.
 * @throws IoError for tensors that do not fit the format, or when the file cannot be written.
 */
export function writeSafetensorsAtomic(
  path: string,
  tensors: Iterable<[string, WritableTensor]>,
  metadata: Record<string, string>,
): void {
  atomicWrite(path, encodeSafetensors(tensors, metadata));
}
