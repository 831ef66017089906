import { atomicWrite } from './atomic.node.ts';
import { readAll, readBytes, withFile } from './read.node.ts';
import {
  encodeSafetensors,
  parseSafetensors,
  parseSafetensorsHeader,
  type Safetensors,
  type SafetensorsHeader,
  safetensorsDataStart,
  type WritableTensor,
} from './safetensors.ts';

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
