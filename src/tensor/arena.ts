import { bytesOf, type DType } from './dtype.ts';
import type { Ledger } from './ledger.ts';
import { count, Storage, TENSOR_USAGE, Tensor } from './tensor.ts';

const GRANULE = 256;

/**
 * Step tensors. A step asks and releases in the same order as the step before, and free buffers are handed out in a fixed
 * order, so the i-th request gets the i-th buffer of the last step: a steady step allocates nothing, and bind groups made
 * for one step fit the next. A released buffer serves later requests of its size within the same step; that is safe
 * because dispatches run in the order they are recorded.
 */
export class Arena {
  readonly #ledger: Ledger;
  /** Free buffers by size, each list sorted so that the buffer to hand out next is last. */
  readonly #free = new Map<number, Pooled[]>();
  readonly #taken = new Map<Storage, Pooled>();
  #scopes: Storage[][] = [];
  #born = 0;
  readonly #onFree: ((buffer: GPUBuffer) => void) | undefined;

  /** @param onFree told of each buffer that a tensor has no more. */
  constructor(ledger: Ledger, onFree?: (buffer: GPUBuffer) => void) {
    this.#ledger = ledger;
    this.#onFree = onFree;
  }

  /** A tensor with undefined contents, alive until `release` or `reset`. */
  alloc(shape: readonly number[], dtype: DType = 'f32'): Tensor {
    const size = Math.max(GRANULE, Math.ceil(bytesOf(dtype, count(shape)) / GRANULE) * GRANULE);
    const pooled = this.#free.get(size)?.pop() ?? {
      buffer: this.#ledger.create('arena', `#${this.#born} [${shape}]`, size, TENSOR_USAGE),
      size,
      order: this.#born++,
    };
    const storage = new Storage(pooled.buffer, 0, size);
    this.#taken.set(storage, pooled);
    this.#scopes[this.#scopes.length - 1]?.push(storage);
    return new Tensor(shape, storage, dtype);
  }

  /** One more use of a tensor's storage. No effect on storages that are not the arena's. */
  retain(tensor: Tensor): void {
    tensor.storage.references++;
  }

  /** One use less; at none the buffer is free for the next request of its size. */
  release(tensor: Tensor): void {
    this.#drop(tensor.storage);
  }

  /** Runs `body` and releases all it allocated but what it returns. */
  scope<T extends Tensor | readonly Tensor[]>(body: () => T): T {
    const mine: Storage[] = [];
    this.#scopes.push(mine);
    let kept: T;
    try {
      kept = body();
    } finally {
      this.#scopes.pop();
    }
    const keep = new Set((Array.isArray(kept) ? kept : [kept]).map((t) => (t as Tensor).storage));
    const outer = this.#scopes[this.#scopes.length - 1];
    for (const storage of mine) {
      if (!keep.has(storage)) this.#drop(storage);
      else outer?.push(storage);
    }
    return kept;
  }

  /** Takes every tensor back: the start of a step. Tensors handed out before are dead. */
  reset(): void {
    for (const pooled of this.#taken.values()) this.#give(pooled);
    this.#taken.clear();
    this.#scopes = [];
    for (const list of this.#free.values()) list.sort((a, b) => b.order - a.order);
  }

  /** True where nothing is handed out: what is asked for next depends on nothing before. */
  get isEmpty(): boolean {
    return this.#taken.size === 0 && this.#scopes.length === 0;
  }

  /** Bytes of all pooled buffers, free or taken. */
  get bytes(): number {
    let sum = 0;
    for (const list of this.#free.values()) for (const p of list) sum += p.size;
    for (const p of this.#taken.values()) sum += p.size;
    return sum;
  }

  /** Bytes of the largest pooled buffer; 0 where there is none. */
  get largest(): number {
    const sizes = [...this.#taken.values()].map(({ size }) => size);
    return Math.max(0, ...this.#free.keys(), ...sizes);
  }

  /** Destroys every buffer. Only after the work that uses them was submitted. */
  dispose(): void {
    this.reset();
    for (const list of this.#free.values()) for (const p of list) this.#ledger.destroy(p.buffer);
    this.#free.clear();
  }

  #drop(storage: Storage): void {
    const pooled = this.#taken.get(storage);
    if (!pooled || --storage.references > 0) return;
    this.#taken.delete(storage);
    this.#give(pooled);
  }

  #give(pooled: Pooled): void {
    this.#onFree?.(pooled.buffer);
    const list = this.#free.get(pooled.size);
    if (list) list.push(pooled);
    else this.#free.set(pooled.size, [pooled]);
  }
}

interface Pooled {
  readonly buffer: GPUBuffer;
  readonly size: number;
  readonly order: number;
}
