import type { Bytes, Memory } from './communicator.ts';

/** Bytes of one rank's part of a channel: its flags, and a ring of slots that its messages go through. */
const [FLAGS, SLOT, SLOTS] = [2 ** 14, 2 ** 19, 8];
export const CHANNEL_BYTES = FLAGS + SLOTS * SLOT;
/** Words of a cache line: the flags that one rank writes in another's part have lines of their own. */
const LINE = 16;
/** Ranks that the flags have room for. */
export const CHANNEL_RANKS = FLAGS / 4 / LINE - 1;

/** Some bytes of a memory, from one on. */
export type Part = readonly [of: Memory, first: number];

/** Copies bytes, and says when they are there: before it returns, or later, from elsewhere. */
export type Copy = (to: Part, from: Part, bytes: number, done: () => void) => void;

/** Whether what a rank has for itself comes too; if not, its place is left as it is, or there are places for the others alone. */
export type Own = 'too' | 'left out' | 'others';

/** A message of all ranks that is on its way. */
interface Message {
  readonly send: Memory;
  readonly receive: Memory;
  /** Where what each rank sends is to begin. */
  readonly places: readonly number[];
  /** Bytes that go to one rank. */
  readonly part: number;
  /** Of those, how many go through a slot at a time. */
  readonly each: number;
  readonly done: () => void;
  /** Bytes of a part that were given to be put into slots, and to be taken from those of each rank. */
  sent: number;
  readonly taken: number[];
  /** Copies that are not done yet. */
  copies: number;
}

/**
 * Messages of one kind between ranks of one host, through memory that all of them see: each puts its own into a ring of slots, half a MiB at a
 * time, and takes those of the others. A slot is flagged with the round in which it was filled, by each other rank with that in
 * which it was emptied: rounds are compared for being the same, so they may wrap.
 */
export class SharedChannel {
  readonly #rank: number;
  readonly #copy: Copy;
  /** Of each rank: the rounds of its slots, in a line; then in a line for each rank those in which that one emptied them. */
  readonly #flags: readonly Int32Array[];
  readonly #slots: readonly Bytes[];
  readonly #toAll: boolean;
  #messages: Message[] = [];
  /** Slots that were given to be filled, and to be emptied of each rank, since the beginning. */
  #filled = 0;
  readonly #emptied: number[];

  /**
   * @param memory CHANNEL_BYTES of each rank, zeros at first.
   * @param toAll whether all get the same (allgather), or each a part of its own (alltoall).
   */
  constructor(rank: number, memory: readonly Bytes[], toAll: boolean, copy: Copy) {
    this.#rank = rank;
    this.#copy = copy;
    this.#flags = memory.map(({ buffer, byteOffset }) => new Int32Array(buffer, byteOffset, FLAGS / 4));
    this.#slots = memory.map((bytes) => bytes.subarray(FLAGS));
    this.#emptied = memory.map(() => 0);
    this.#toAll = toAll;
  }

  /** Starts a message; `advance` brings it on. */
  start(send: Memory, receive: Memory, itsOwn: Own = 'too'): Promise<void> {
    const ranks = this.#slots.length;
    const part = this.#toAll ? send.length : send.length / ranks;
    const each = this.#toAll ? SLOT : Math.floor(SLOT / ranks / 64) * 64;
    const places = this.#slots.map((_, from) => part * (itsOwn === 'others' && from > this.#rank ? from - 1 : from));
    return new Promise((done) => {
      const taken = this.#slots.map(() => 0);
      const message: Message = { send, receive, places, part, each, done, sent: 0, taken, copies: 0 };
      this.#messages.push(message);
      if (itsOwn !== 'too') return;
      message.copies++;
      const own = this.#rank * part;
      this.#copy([receive, own], [send, this.#toAll ? 0 : own], part, () => void message.copies--);
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

  #isOver({ part, sent, taken, copies }: Message): boolean {
    return copies === 0 && sent === part && taken.every((bytes, from) => from === this.#rank || bytes === part);
  }

  #put(message: Message): boolean {
    const { send, part, each, sent: before } = message;
    const [flags, slots] = [this.#flags[this.#rank] as Int32Array, this.#slots[this.#rank] as Bytes];
    const others = this.#slots.flatMap((_, rank) => (rank === this.#rank ? [] : [rank]));
    while (message.sent < part) {
      const { slot, at, round } = placeOf(this.#filled);
      if (others.some((by) => Atomics.load(flags, LINE * (1 + by) + slot) !== ((round - 1) | 0))) break;
      const [first, bytes] = [message.sent, Math.min(each, part - message.sent)];
      const parts = this.#toAll ? [0] : others;
      let left = parts.length;
      const done = () => {
        message.copies--;
        if (--left === 0) Atomics.store(flags, slot, round);
      };
      message.copies += left;
      for (const to of parts) this.#copy([slots, at + to * each], [send, to * part + first], bytes, done);
      message.sent += bytes;
      this.#filled++;
    }
    return message.sent > before;
  }

  #take(message: Message, from: number): boolean {
    const { receive, places, part, each, taken } = message;
    const [place, before] = [places[from] as number, taken[from] as number];
    const [flags, slots] = [this.#flags[from] as Int32Array, this.#slots[from] as Bytes];
    while ((taken[from] as number) < part) {
      const count = this.#emptied[from] as number;
      const { slot, at, round } = placeOf(count);
      if (Atomics.load(flags, slot) !== round) break; // it is not filled yet
      const first = at + (this.#toAll ? 0 : this.#rank * each);
      const have = taken[from] as number;
      const bytes = Math.min(each, part - have);
      message.copies++;
      this.#copy([receive, place + have], [slots, first], bytes, () => {
        message.copies--;
        Atomics.store(flags, LINE * (1 + this.#rank) + slot, round);
      });
      taken[from] = have + bytes;
      this.#emptied[from] = count + 1;
    }
    return (taken[from] as number) > before;
  }
}

/** The slot that is the `count`-th to be filled, where it begins, and the round of it: 1 is the first. */
const placeOf = (count: number) => {
  const slot = count % SLOTS;
  return { slot, at: slot * SLOT, round: (Math.floor(count / SLOTS) + 1) | 0 };
};
