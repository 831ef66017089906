import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { IoError, systemReason } from './errors.ts';

/** One system call writes fewer bytes than 2^31. */
const MAX_WRITE = 2 ** 30;

/** Writes every byte: one system call may write only some. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; ) {
    at += writeSync(fd, bytes, at, Math.min(MAX_WRITE, bytes.byteLength - at));
  }
}

/** Makes a rename last through a power cut. Windows has no such call for folders. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The temporary name beside a file: of this process, so that two writers do not meet. */
export function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
}

/**
 * Replaces a file as a whole: a reader, or a crash at any moment, sees the old file or the new one.
 * @param chunks the contents, in order; text is written as UTF-8.
 * @throws IoError that names the path; the old file then stands and no temporary file stays behind.
 */
export function atomicWrite(path: string, chunks: readonly Uint8Array[] | string): void {
  const temporary = temporaryName(path);
  const parts = typeof chunks === 'string' ? [new TextEncoder().encode(chunks)] : chunks;
  let fd: number | undefined;
  let created = false;
  try {
    fd = openSync(temporary, 'w');
    created = true;
    for (const part of parts) writeAll(fd, part);
    fsyncSync(fd); // before the rename, or a crash could leave the new name on an empty file
    closeSync(fd);
    fd = undefined;
    renameSync(temporary, path);
    created = false;
    syncFolder(dirname(path));
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    if (created) rmSync(temporary, { force: true });
    throw new IoError(
      'write',
      path,
      `it cannot be written (${systemReason(error)})`,
      'check that the folder exists, is writable and has space',
      error,
    );
  }
}
