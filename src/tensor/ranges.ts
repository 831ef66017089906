import type { Resource } from '../kernel/index.ts';
import type { Arena } from './arena.ts';
import type { Tensor } from './tensor.ts';

/** Words that one range takes: as many as the kernel `largest` writes. */
export const RANGE_WORDS = 128;

/** Ranges that there is room for at first: those of a transformer of some twenty blocks. */
const ROOM = 512;

interface Known {
  readonly offset: number;
  readonly count: number;
  readonly place: number;
}

/**
 * Where the largest magnitudes of tensors lie that were read in a step, by which products in f32x3 scale their operands: each is read once.
 * One is known until a recorded command writes any of its tensor, the tensor is released, or what is recorded was submitted: whoever
 * holds a buffer may write to it then. All lie in one step tensor, since a product has but one binding left for its two.
 */
export class Ranges {
  readonly #arena: Arena;
  readonly #copy: (from: Tensor, to: Tensor) => void;
  readonly #known = new Map<GPUBuffer, Known[]>();
  #words: Tensor | undefined;
  #room = ROOM;
  #used = 0;
  #free: number[] = [];

  /** @param copy records a copy, for those that are known when there is room for no other. */
  constructor(arena: Arena, copy: (from: Tensor, to: Tensor) => void) {
    this.#arena = arena;
    this.#copy = copy;
  }

  /** Where all lie: u32 [room * RANGE_WORDS]. */
  get words(): Tensor {
    if (!this.#words) this.#words = this.#take();
    return this.#words;
  }

  /** Which of them is the tensor's; undefined where it was not read since it was written. */
  of({ buffer, offset, count }: Tensor): number | undefined {
    return this.#known.get(buffer)?.find((known) => known.offset === offset && known.count === count)?.place;
  }

  /** Places that lie together for the ranges of some tensors, to be written now: they are known from here on. Gives the first. */
  add(...tensors: readonly Tensor[]): number {
    const first = (tensors.length === 1 ? this.#free.pop() : undefined) ?? this.#after(tensors.length);
    tensors.forEach(({ buffer, offset, size, count }, i) => {
      this.written({ buffer, offset, size });
      const known = { offset, count, place: first + i };
      const others = this.#known.get(buffer);
      if (others) others.push(known);
      else this.#known.set(buffer, [known]);
    });
    return first;
  }

  /** Bytes of a buffer are written: what was read of them holds no more. */
  written({ buffer, offset, size }: Resource): void {
    const known = this.#known.get(buffer);
    if (!known) return;
    const apart = (k: Known) => k.offset >= offset + size || offset >= k.offset + 4 * k.count;
    for (const k of known) if (!apart(k)) this.#free.push(k.place);
    const left = known.filter(apart);
    if (left.length > 0) this.#known.set(buffer, left);
    else this.#known.delete(buffer);
  }

  /** A step tensor's buffer is free for another. */
  freed(buffer: GPUBuffer): void {
    if (this.#words?.buffer === buffer) {
      this.#words = undefined;
      this.forget();
    } else this.written({ buffer, offset: 0, size: buffer.size });
  }

  /** Knows none any more. */
  forget(): void {
    this.#known.clear();
    this.#used = 0;
    this.#free = [];
  }

  /** As many places after all that were taken. */
  #after(count: number): number {
    const first = this.#used;
    this.#used += count;
    if (this.#used <= this.#room) return first;
    const before = this.#words;
    this.#room = 2 ** Math.ceil(Math.log2(this.#used)); // of every step from here on
    if (!before) return first;
    this.#words = this.#take();
    this.#copy(before, this.#words.slice(0, before.count));
    this.#arena.release(before);
    return first;
  }

  /** Lasts until the step ends, whatever scope it is asked for in. */
  #take(): Tensor {
    const words = this.#arena.alloc([this.#room * RANGE_WORDS], 'u32');
    this.#arena.retain(words);
    return words;
  }
}
