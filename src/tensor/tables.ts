import type { Ledger } from './ledger.ts';
import { Storage, TENSOR_USAGE, Tensor } from './tensor.ts';

/** Tables kept, most. A steady step asks for a few; steps that differ would make more of them without end. */
const MOST = 256;

/** Small u32 tensors that never change, by their content: what a step says to its kernels in the same way every time. */
export class Tables {
  readonly #ledger: Ledger;
  readonly #tables = new Map<string, Tensor>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** The tensor that holds these words, at least one; it lives until `free`. */
  of(words: Uint32Array<ArrayBuffer>): Tensor {
    const key = words.join(',');
    const known = this.#tables.get(key);
    if (known) return known;
    const buffer = this.#ledger.create('data', 'table', words.byteLength, TENSOR_USAGE, true);
    new Uint32Array(buffer.getMappedRange()).set(words);
    buffer.unmap();
    const table = new Tensor([words.length], new Storage(buffer, 0, buffer.size), 'u32');
    this.#tables.set(key, table);
    return table;
  }

  /** Begins a step: of too many tables none is kept. All that uses them must have been submitted. */
  begin(): void {
    if (this.#tables.size > MOST) this.free();
  }

  free(): void {
    for (const { buffer } of this.#tables.values()) this.#ledger.destroy(buffer);
    this.#tables.clear();
  }
}
