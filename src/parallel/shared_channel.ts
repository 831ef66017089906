import type { Bytes } from './communicator.ts';

/** Bytes of one rank's part of a channel: counters, and a ring of slots that its messages go through. */
const [COUNTERS, SLOT, SLOTS] = [2 ** 14, 2 ** 19, 4];
export const CHANNEL_BYTES = COUNTERS + SLOTS * SLOT;
/** Ranks that the counters have room for, each in a cache line of its own. */
export const CHANNEL_RANKS = COUNTERS / 64 - 1;

/** A message of all ranks that is on its way. */
interface Message {
  readonly send: Bytes;
  readonly receive: Bytes;
  /** Bytes that go to one rank. */
  readonly part: number;
  /** Of those, how many go through a slot at a time. */
  readonly each: number;
  readonly done: () => void;
  /** Bytes of a part that were put into slots, and that were taken from those of each rank. */
  sent: number;
  readonly taken: number[];
}

/**
 * Messages of one kind between ranks of one host, through memory that all of them see: each puts its own into a ring of slots, half a MiB at a
 * time, which stays in the cache, and takes those of the others. What was posted and taken is counted, by counters that wrap.
 */
export class SharedChannel {
  readonly #rank: number;
  /** Of each rank: how many slots it has posted, then how many of those each other has taken; and its slots. */
  readonly #counters: readonly Int32Array[];
  readonly #slots: readonly Bytes[];
  readonly #toAll: boolean;
  #messages: Message[] = [];

  /**
   * @param memory CHANNEL_BYTES of each rank, zeros at first.
   * @param toAll whether all get the same (allgather), or each a part of its own (alltoall).
   */
  constructor(rank: number, memory: readonly Bytes[], toAll: boolean) {
    this.#rank = rank;
    this.#counters = memory.map(({ buffer, byteOffset }) => new Int32Array(buffer, byteOffset, COUNTERS / 4));
    this.#slots = memory.map((bytes) => bytes.subarray(COUNTERS));
    this.#toAll = toAll;
  }

  /** Starts a message; `advance` brings it on. @param withOwn whether what this rank has for itself comes too. */
  start(send: Bytes, receive: Bytes, withOwn = true): Promise<void> {
    const ranks = this.#slots.length;
    const part = this.#toAll ? send.length : send.length / ranks;
    const each = this.#toAll ? SLOT : Math.floor(SLOT / ranks / 64) * 64;
    const own = this.#toAll ? send : send.subarray(this.#rank * part, (this.#rank + 1) * part);
    if (withOwn) receive.set(own, this.#rank * part);
    return new Promise((done) => {
      this.#messages.push({ send, receive, part, each, done, sent: 0, taken: this.#slots.map(() => 0) });
    });
  }

  /** Puts and takes what can be. @returns whether bytes were, and whether a message was ended. */
  advance(): { readonly moved: boolean; readonly ended: boolean } {
    let moved = false;
    let before: Message | undefined;
    for (const message of this.#messages) {
      if (!before || before.sent === before.part) moved = this.#put(message) || moved;
      for (const [from, taken] of message.taken.entries())
        if (from !== this.#rank && taken < message.part && (!before || before.taken[from] === before.part))
          moved = this.#take(message, from) || moved;
      before = message;
    }
    const ended = this.#messages.filter((message) => this.#isOver(message));
    if (ended.length === 0) return { moved, ended: false };
    this.#messages = this.#messages.filter((message) => !ended.includes(message));
    for (const { done } of ended) done();
    return { moved, ended: true };
  }

  get idle(): boolean {
    return this.#messages.length === 0;
  }

  #isOver({ part, sent, taken }: Message): boolean {
    return sent === part && taken.every((bytes, from) => from === this.#rank || bytes === part);
  }

  #put(message: Message): boolean {
    const { send, part, each, sent: before } = message;
    const [counters, slots] = [this.#counters[this.#rank] as Int32Array, this.#slots[this.#rank] as Bytes];
    while (message.sent < part) {
      const posted = Atomics.load(counters, 0);
      const isFree = this.#slots.every(
        (_, by) => by === this.#rank || ((posted - Atomics.load(counters, 16 + 16 * by)) | 0) < SLOTS,
      );
      if (!isFree) break;
      const at = slotOf(posted);
      const bytes = Math.min(each, part - message.sent);
      if (this.#toAll) slots.set(send.subarray(message.sent, message.sent + bytes), at);
      else
        this.#slots.forEach((_, to) => {
          const from = to * part + message.sent;
          if (to !== this.#rank) slots.set(send.subarray(from, from + bytes), at + to * each);
        });
      message.sent += bytes;
      Atomics.store(counters, 0, (posted + 1) | 0);
    }
    return message.sent > before;
  }

  #take(message: Message, from: number): boolean {
    const { receive, part, each, taken } = message;
    const before = taken[from] as number;
    const [counters, slots] = [this.#counters[from] as Int32Array, this.#slots[from] as Bytes];
    const mine = 16 + 16 * this.#rank;
    while ((taken[from] as number) < part) {
      const count = Atomics.load(counters, mine);
      if (Atomics.load(counters, 0) === count) break; // nothing more was posted
      const at = slotOf(count) + (this.#toAll ? 0 : this.#rank * each);
      const have = taken[from] as number;
      const bytes = Math.min(each, part - have);
      receive.set(slots.subarray(at, at + bytes), from * part + have);
      taken[from] = have + bytes;
      Atomics.store(counters, mine, (count + 1) | 0);
    }
    return (taken[from] as number) > before;
  }
}

/** Where the slot of a count begins. */
const slotOf = (count: number): number => (count & (SLOTS - 1)) * SLOT;
