import { FixableError } from '../kernel/index.ts';

/** What keeps processes from training together. */
export class ParallelError extends FixableError {
  override readonly name: string = 'ParallelError';
}

/** Memory of JavaScript's to send from or to receive into. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Memory that JavaScript has no array over: so many bytes from an address. */
export interface Region {
  readonly at: bigint;
  readonly length: number;
}

/** Memory to send from or to receive into, of a mapped buffer too. */
export type Memory = Bytes | Region;

/**
 * The processes ("ranks") that train one model together, as one of them sees them. Every rank asks for the same messages of a kind in the
 * same order; the two kinds do not wait for each other. Memory that was given must stay as it is until the promise resolves.
 */
export interface Communicator {
  /** Number of this process, from 0. */
  readonly rank: number;
  /** Processes. */
  readonly size: number;
  /** What carries the messages, for people. */
  readonly engine: string;
  /**
   * Piece r of the `size` equal ones of `send` goes to rank r; piece r of `receive` is what rank r had for this one.
   * @param own false where what this rank has for itself need not come: its piece of `receive` then holds anything.
   */
  alltoall(send: Memory, receive: Memory, own?: boolean): Promise<void>;
  /** `send` goes to all ranks; piece r of the `size` equal ones of `receive` is that of rank r. @param own as of `alltoall`. */
  allgather(send: Memory, receive: Memory, own?: boolean): Promise<void>;
  /** Of two ranks: each gets what the other sends, as many bytes. Of the kind of `allgather`. */
  swap(send: Memory, receive: Memory): Promise<void>;
  /** The first `size` bytes of a mapped buffer, as it takes them. */
  mapped(buffer: GPUBuffer, size: number): Memory;
  /** The same by messages of the engine's own, where another way is taken: to compare with. */
  readonly plain?: Pick<Communicator, 'alltoall' | 'allgather' | 'swap'>;
  /** `data` of all ranks becomes that of rank 0; of the kind of `allgather`. */
  broadcast(data: Bytes): Promise<void>;
  /** Called where this process has nothing else to do for some tens of milliseconds: it tidies up. */
  idle?(): void;
  /** Ends all processes of all hosts, this one first, with an exit code. */
  abort(exitCode: number): never;
  /** Leaves the others: nothing is sent any more. Every rank must come to it, or they end with an error. */
  close(): void;
}

/** The only rank there is. */
export const ALONE: Communicator = {
  rank: 0,
  size: 1,
  engine: 'one process',
  alltoall: async (send, receive) => (receive as Bytes).set(send as Bytes),
  allgather: async (send, receive) => (receive as Bytes).set(send as Bytes),
  mapped: (buffer, size) => new Uint8Array(buffer.getMappedRange(0, size)),
  swap: async () => {
    throw new ParallelError('the only process was to swap with another', 'swap among two ranks');
  },
  broadcast: async () => {},
  abort: (exitCode) => {
    throw new ParallelError(`the only process ended itself (${exitCode})`, 'see the message before');
  },
  close() {},
};
