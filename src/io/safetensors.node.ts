import { atomicWrite } from './atomic.node.ts';
import { readBytes } from './read.node.ts';
import { encodeSafetensors, parseSafetensors, type Safetensors, type WritableTensor } from './safetensors.ts';

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
