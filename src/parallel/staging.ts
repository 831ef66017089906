import type { Ledger, Workspace } from '../tensor/index.ts';

const MODES = { out: 0x1, into: 0x2 } as const; // MAP_READ, MAP_WRITE
const USAGES = { out: 0x1 | 0x8, into: 0x2 | 0x4 } as const; // | COPY_DST, | COPY_SRC

/** Memory of the host for messages out of the device, or into it. */
export class Staging {
  readonly buffer: GPUBuffer;
  readonly #ledger: Ledger;
  readonly #mode: number;
  #mapped: Promise<void>;

  constructor({ ledger }: Workspace, label: string, bytes: number, way: 'out' | 'into') {
    this.#ledger = ledger;
    this.#mode = MODES[way];
    this.buffer = ledger.create('staging', label, bytes, USAGES[way], way === 'into');
    this.#mapped = Promise.resolve();
  }

  /** Asks for the memory; for what the device writes, after the submit of that. */
  map(): void {
    this.#mapped = this.buffer.mapAsync(this.#mode);
    this.#mapped.catch(() => {}); // told to whoever waits for it
  }

  /** Resolves when the memory can be had. */
  get mapped(): Promise<void> {
    return this.#mapped;
  }

  unmap(): void {
    this.buffer.unmap();
  }

  free(): void {
    this.#ledger.destroy(this.buffer);
  }
}

/** Bytes of a piece: the first, and the first after them. */
export type Range = readonly [first: number, end: number];

/** Where the bytes of a piece begin. */
export interface Place {
  readonly buffer: GPUBuffer;
  readonly at: number;
}

/** Copies ranges to where they are in another place. */
export function copyAll(encoder: GPUCommandEncoder, from: Place, to: Place, ranges: readonly Range[]): void {
  for (const [first, end] of ranges)
    if (end > first) encoder.copyBufferToBuffer(from.buffer, from.at + first, to.buffer, to.at + first, end - first);
}
