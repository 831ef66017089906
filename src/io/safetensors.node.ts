import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { atomicWrite } from './atomic.node.ts';
import { IoError, systemReason } from './errors.ts';
import {
  encodeSafetensors,
  parseSafetensors,
  parseSafetensorsHeader,
  type Safetensors,
  type SafetensorsHeader,
  safetensorsDataStart,
  type WritableTensor,
} from './safetensors.ts';

/** One system call reads fewer bytes than 2^31. */
const MAX_READ = 2 ** 30;

/** Fills `bytes` from the file's position on; returns what was there of it. */
function readAll(fd: number, bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  let at = 0;
  while (at < bytes.byteLength) {
    const got = readSync(fd, bytes, at, Math.min(MAX_READ, bytes.byteLength - at), null);
    if (got === 0) break;
    at += got;
  }
  return bytes.subarray(0, at); // a file that shrank meanwhile is left to the parser to refuse
}

/** Opens a file for as long as `use` reads it; a failure of the system becomes an IoError that names the path. */
function withFile<T>(path: string, use: (fd: number, size: number) => T): T {
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

/** A header and the size of its file, by which a later reader knows that the file is still the same. */
export interface HeaderOfFile extends SafetensorsHeader {
  readonly fileSize: number;
}

/**
 * Reads the header of a safetensors file and nothing of its data; see parseSafetensorsHeader.
 * @throws IoError that names the path, for a file that is absent, unreadable or malformed.
 */
export function readSafetensorsHeader(path: string): HeaderOfFile {
  return withFile(path, (fd, fileSize) => {
    const first = readAll(fd, new Uint8Array(Math.min(8, fileSize)));
    const head = new Uint8Array(safetensorsDataStart(first, fileSize, path));
    head.set(first);
    const rest = readAll(fd, head.subarray(8));
    return { ...parseSafetensorsHeader(head.subarray(0, 8 + rest.byteLength), fileSize, path), fileSize };
  });
}

/**
 * Reads a safetensors file into memory; see parseSafetensors.
 * @throws IoError that names the path, for a file that is absent, unreadable or malformed.
 */
export function readSafetensors(path: string): Safetensors {
  // All of it in one array, also past the 2 GiB at which readFileSync ends.
  return parseSafetensors(
    withFile(path, (fd, size) => readAll(fd, new Uint8Array(size))),
    path,
  );
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
