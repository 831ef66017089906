import { type FileHandle, open } from 'node:fs/promises';
import { systemReason } from '../io/errors.ts';
import { DataError } from './dataset.ts';

/** A file as it was when its header was read. */
export interface KnownFile {
  readonly path: string;
  readonly fileSize: number;
}

interface Entry {
  readonly handle: Promise<FileHandle>;
  /** Reads under way: a file is not closed under them. */
  readers: number;
}

/** Files left open between reads. */
const MAX_OPEN = 64;

/** Positioned reads of any number of files, of which the last used few stay open. */
export class FilePool {
  readonly #limit: number;
  /** By path, the one used longest ago first. */
  readonly #entries = new Map<string, Entry>();
  #bytesRead = 0;

  /** @param limit files to keep open; more are open only while more are being read at once. */
  constructor(limit = MAX_OPEN) {
    this.#limit = limit;
  }

  /** Files that are open now. */
  get openFiles(): number {
    return this.#entries.size;
  }

  /** Bytes read so far. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Fills `into` from `position` on. @throws DataError naming a file that is gone, has changed, or ends before. */
  async read(file: KnownFile, into: Uint8Array, position: number): Promise<void> {
    const entry = this.#entry(file);
    entry.readers++;
    try {
      const handle = await entry.handle;
      for (let at = 0; at < into.byteLength; ) {
        const { bytesRead } = await handle.read(into, at, into.byteLength - at, position + at);
        if (bytesRead === 0) {
          throw new DataError(`${file.path} ends at byte ${position + at}`, 'restore the file, it was longer before');
        }
        at += bytesRead;
        this.#bytesRead += bytesRead;
      }
    } catch (error) {
      if (error instanceof DataError) throw error;
      throw new DataError(`${file.path} cannot be read (${systemReason(error)})`, 'restore the file and resume');
    } finally {
      entry.readers--;
      this.#closeIdle();
    }
  }

  /** Closes all files; reads that are under way end first or fail. */
  async close(): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(entries.map(closeEntry));
  }

  #entry(file: KnownFile): Entry {
    const { path } = file;
    const entry = this.#entries.get(path) ?? { handle: openUnchanged(file), readers: 0 };
    this.#entries.delete(path); // and in again, as the last used
    this.#entries.set(path, entry);
    entry.handle.catch(() => {
      if (this.#entries.get(path) === entry) this.#entries.delete(path);
    });
    return entry;
  }

  #closeIdle(): void {
    for (const [path, entry] of this.#entries) {
      if (this.#entries.size <= this.#limit) return;
      if (entry.readers > 0) continue;
      this.#entries.delete(path);
      void closeEntry(entry);
    }
  }
}

/** A file that was only read loses nothing when closing it fails, nor when it never opened. */
async function closeEntry(entry: Entry): Promise<void> {
  await entry.handle.then((handle) => handle.close()).catch(() => {});
}

async function openUnchanged({ path, fileSize }: KnownFile): Promise<FileHandle> {
  const handle = await open(path, 'r');
  const { size } = await handle.stat();
  if (size === fileSize) return handle;
  await handle.close();
  throw new DataError(`${path} has ${size} bytes, at the start it had ${fileSize}`, 'restore the file and resume');
}
