import type { Staged, Words } from './command.ts';
import type { Ledger } from './ledger.ts';

const MAP_WRITE = 0x2;
const STAGING_USAGE = 0x2 | 0x4; // MAP_WRITE | COPY_SRC
/** Buffers of a size: two steps are on the device while a third is recorded. */
const IN_TURN = 3;
const SMALLEST = 1 << 16;
/** Longer data is rare (weights) and goes by the queue, which has staging memory of its own. */
const LARGEST = 1 << 24;

interface Staging {
  readonly buffer: GPUBuffer;
  readonly size: number;
  /** Those of its size, to which it comes back. */
  readonly home: Staging[];
  range: ArrayBuffer;
  used: number;
}

/**
 * Mapped buffers in turn, through which the host's numbers reach the device in order with the commands around them: a queue's write
 * would take effect ahead of an encoder that is not submitted yet, and brings the data to staging memory of its own first.
 */
export class Uploads {
  readonly #ledger: Ledger;
  /** Mapped and empty, by size. */
  readonly #ready = new Map<number, Staging[]>();
  /** Mapped, with data for the next submit; the last has room perhaps. */
  #filled: Staging[] = [];

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Takes data, padded to whole words of 4 bytes; undefined where it is too long, or every buffer is still on its way. */
  stage(data: Words): Staged | undefined {
    const bytes = Math.ceil(data.byteLength / 4) * 4;
    const staging = this.#room(bytes);
    if (!staging) return undefined;
    const offset = staging.used;
    staging.used += bytes;
    const from = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const to = new Uint8Array(staging.range, offset, bytes);
    to.set(from);
    to.fill(0, data.byteLength);
    return { buffer: staging.buffer, offset, bytes };
  }

  /** To be called before what was staged is submitted. The buffers come back, mapped, when the device is done. */
  unmap(): () => void {
    const filled = this.#filled;
    this.#filled = [];
    for (const { buffer } of filled) buffer.unmap();
    return () => {
      for (const staging of filled) void this.#takeBack(staging);
    };
  }

  /** Destroys every buffer, those on their way when they are back: other data may be staged from now on. */
  free(): void {
    for (const ready of this.#ready.values()) for (const { buffer } of ready) this.#ledger.destroy(buffer);
    this.#ready.clear();
  }

  async #takeBack(staging: Staging): Promise<void> {
    try {
      await staging.buffer.mapAsync(MAP_WRITE);
      staging.range = staging.buffer.getMappedRange(); // it may have been destroyed since it was mapped
    } catch {
      return; // destroyed with its workspace, or lost with its device: whoever uses those is told
    }
    staging.used = 0;
    if (this.#ready.get(staging.size) === staging.home) staging.home.push(staging);
    else this.#ledger.destroy(staging.buffer);
  }

  #room(bytes: number): Staging | undefined {
    const last = this.#filled[this.#filled.length - 1];
    if (last && last.used + bytes <= last.size) return last;
    if (bytes > LARGEST) return undefined;
    const size = Math.max(SMALLEST, 2 ** Math.ceil(Math.log2(bytes)));
    const next = this.#ofSize(size).pop();
    if (next) this.#filled.push(next);
    return next;
  }

  /** Those of a size that are ready. All of a size are made at once, so that what a step holds depends on no timing. */
  #ofSize(size: number): Staging[] {
    const known = this.#ready.get(size);
    if (known) return known;
    const home: Staging[] = [];
    this.#ready.set(size, home); // before there is no memory for one of them: those made are freed with the others
    for (let i = 0; i < IN_TURN; i++) {
      const buffer = this.#ledger.create('staging', `upload ${i} of ${size}`, size, STAGING_USAGE, true);
      home.push({ buffer, size, home, range: buffer.getMappedRange(), used: 0 });
    }
    return home;
  }
}
