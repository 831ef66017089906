import type { Ledger } from './ledger.ts';
import { type Pack, Storage, TENSOR_USAGE, Tensor } from './tensor.ts';

/** Weights of one flat buffer. */
export class WeightPack implements Pack {
  readonly whole: Tensor;
  readonly members: readonly Tensor[];
  readonly #ledger: Ledger;
  #places: Tensor | undefined;

  /** Makes itself known to its members' storages. */
  constructor(ledger: Ledger, whole: Tensor, members: readonly Tensor[]) {
    this.#ledger = ledger;
    this.whole = whole;
    this.members = members;
    for (const { storage } of members) storage.pack = this;
  }

  /** Made when they are first asked for. */
  get places(): Tensor {
    if (this.#places) return this.#places;
    const words = Uint32Array.from(this.members.flatMap(({ offset, count }) => [offset / 4, count]));
    const buffer = this.#ledger.create('parameter', 'places', words.byteLength, TENSOR_USAGE, true);
    new Uint32Array(buffer.getMappedRange()).set(words);
    buffer.unmap();
    this.#places = new Tensor([this.members.length, 2], new Storage(buffer, 0, buffer.size), 'u32');
    return this.#places;
  }

  free(): void {
    if (this.#places) this.#ledger.destroy(this.#places.buffer);
    this.#places = undefined;
  }
}
