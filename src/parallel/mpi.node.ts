import { collectGarbage } from './collect.node.ts';
import { type Bytes, type Communicator, type Memory, ParallelError } from './communicator.ts';
import { hasCores, type Launch } from './launcher.node.ts';
import { loadMpi, type MpiLibrary, type Word } from './mpi_library.node.ts';
import { CHANNEL_BYTES, CHANNEL_RANKS, type Own, SharedChannel } from './shared_channel.ts';

/** Milliseconds of a wait without a rest; after that a rank that shares its cores sleeps between two looks. */
const RESTLESS = 2;
const REST = 1;

/**
 * Milliseconds of a turn of the event loop that MPI has where there are cores: it moves its own messages only while it is asked. Those through
 * shared memory come on between two turns.
 */
const SPIN = 0.2;

/** Bytes that one call sends to one rank at most: MPI counts in int. */
const MOST_BYTES = 2 ** 31 - 1;

interface Waiting {
  /** MPI_Request: MPI sets it to none when it is done. */
  readonly request: BigUint64Array;
  readonly requestAt: bigint;
  /** The memory is not to be collected before. */
  readonly memory: readonly Memory[];
  readonly done: () => void;
}

/**
 * Joins the ranks that a launcher started, through its MPI.
 * @throws ParallelError where MPI cannot be loaded, or is of another make than the launcher.
 */
export async function joinMpi(launch: Launch, library?: string): Promise<Communicator> {
  const mpi = await loadMpi(launch, library);
  mpi.call.MPI_Init(null, null);
  const communicator = new MpiCommunicator(mpi, !hasCores(launch));
  if (communicator.size === launch.size) return communicator;
  communicator.close();
  throw new ParallelError(
    `${launch.kind} started ${launch.size} processes, and ${mpi.version} sees ${communicator.size}`,
    'start them by the mpirun of the same MPI (srun: --mpi=pmix or --mpi=pmi2), or set UCGM_MPI to the path of its libmpi',
  );
}

/**
 * Ranks by MPI. Calls do not wait: their requests are tested from the event loop, on the one thread that calls MPI at all. A message
 * that MPI cannot bring ends all ranks: that is its own way with errors.
 */
class MpiCommunicator implements Communicator {
  readonly rank: number;
  readonly size: number;
  readonly engine: string;
  readonly #mpi: MpiLibrary;
  /** Messages of different communicators are matched apart, so the kinds need no order between them. */
  readonly #forAlltoall: bigint | number;
  readonly #forAllgather: bigint | number;
  /** Of each kind, where all ranks are on one host: through memory that they share, which MPI gives. */
  readonly #shared: { readonly alltoall: SharedChannel; readonly allgather: SharedChannel } | undefined;
  readonly #waiting: Waiting[] = [];
  readonly #flag = new Int32Array(1);
  readonly #flagAt: bigint;
  /** Whether ranks, their devices' threads and compilers need more cores than there are. */
  readonly #rests: boolean;
  #since = 0;
  #polling = false;

  constructor(mpi: MpiLibrary, rests: boolean) {
    this.#mpi = mpi;
    this.#flagAt = mpi.address(this.#flag);
    this.engine = mpi.version;
    this.rank = this.#number('MPI_Comm_rank');
    this.size = this.#number('MPI_Comm_size');
    this.#forAlltoall = this.#duplicate();
    this.#forAllgather = this.#duplicate();
    this.#rests = rests;
    this.#shared = this.#share();
  }

  alltoall(send: Memory, receive: Memory, own = true): Promise<void> {
    this.#check('alltoall', send.length, receive.length);
    return this.#shared
      ? this.#through(this.#shared.alltoall, send, receive, own ? 'too' : 'left out')
      : this.plain.alltoall(send, receive);
  }

  allgather(send: Memory, receive: Memory, own = true): Promise<void> {
    this.#check('allgather', send.length * this.size, receive.length);
    return this.#shared
      ? this.#through(this.#shared.allgather, send, receive, own ? 'too' : 'left out')
      : this.plain.allgather(send, receive);
  }

  async swap(send: Memory, receive: Memory): Promise<void> {
    this.#check('swap', 2 * send.length, 2 * receive.length);
    if (this.size !== 2) throw new ParallelError(`swap among ${this.size} ranks`, 'use allgather, or start two ranks');
    return this.#shared
      ? this.#through(this.#shared.allgather, send, receive, 'others')
      : this.plain.swap(send, receive);
  }

  idle(): void {
    collectGarbage();
  }

  mapped(buffer: GPUBuffer, size: number): Memory {
    return this.#mpi.mapped(buffer, size);
  }

  readonly plain = {
    alltoall: (send: Memory, receive: Memory): Promise<void> => {
      const { address, byte } = this.#mpi;
      const each = send.length / this.size;
      const args = [address(send), each, byte, address(receive), each, byte, this.#forAlltoall];
      return this.#start('MPI_Ialltoall', args, send, receive);
    },
    allgather: (send: Memory, receive: Memory): Promise<void> => {
      const { address, byte } = this.#mpi;
      const each = send.length;
      const args = [address(send), each, byte, address(receive), each, byte, this.#forAllgather];
      return this.#start('MPI_Iallgather', args, send, receive);
    },
    swap: async (send: Memory, receive: Memory): Promise<void> => {
      const { address, byte } = this.#mpi;
      const message = (memory: Memory) => [address(memory), memory.length, byte, 1 - this.rank, 0, this.#forAllgather];
      await Promise.all([
        this.#start('MPI_Irecv', message(receive), receive),
        this.#start('MPI_Isend', message(send), send),
      ]);
    },
  };

  async broadcast(data: Bytes): Promise<void> {
    const { address, byte } = this.#mpi;
    for (let at = 0; at < data.byteLength; at += MOST_BYTES) {
      const part = data.subarray(at, at + MOST_BYTES);
      await this.#start('MPI_Ibcast', [address(part), part.byteLength, byte, 0, this.#forAllgather], part);
    }
  }

  abort(exitCode: number): never {
    this.#mpi.call.MPI_Abort(this.#mpi.world, exitCode);
    process.exit(exitCode); // MPI_Abort does not return
  }

  close(): void {
    this.#mpi.call.MPI_Finalize();
  }

  #check(what: string, sent: number, received: number): void {
    if (sent === received && sent % this.size === 0 && sent / this.size <= MOST_BYTES) return;
    throw new ParallelError(
      `${what} of ${sent} bytes into ${received} among ${this.size} ranks`,
      `give equal pieces of at most ${MOST_BYTES} bytes`,
    );
  }

  /** Starts a call whose last argument is where its request is put. */
  #start(
    name: 'MPI_Ialltoall' | 'MPI_Iallgather' | 'MPI_Ibcast' | 'MPI_Isend' | 'MPI_Irecv',
    args: readonly Word[],
    ...memory: Memory[]
  ): Promise<void> {
    const request = new BigUint64Array(1);
    const requestAt = this.#mpi.address(request);
    this.#mpi.call[name](...args, requestAt);
    return new Promise((done) => {
      this.#waiting.push({ request, requestAt, memory, done });
      this.#begin();
    });
  }

  #through(channel: SharedChannel, send: Memory, receive: Memory, own: Own): Promise<void> {
    const sent = channel.start(send, receive, own);
    this.#begin();
    return sent;
  }

  #begin(): void {
    if (this.#polling) return;
    this.#polling = true;
    this.#since = performance.now();
    this.#poll();
  }

  get #idle(): boolean {
    const { alltoall, allgather } = this.#shared ?? {};
    return this.#waiting.length === 0 && (alltoall?.idle ?? true) && (allgather?.idle ?? true);
  }

  readonly #poll = (): void => {
    const until = this.#rests || this.#waiting.length === 0 ? 0 : performance.now() + SPIN;
    while (!this.#look() && performance.now() < until);
    this.#polling = !this.#idle;
    if (!this.#polling) return;
    if (this.#rests && performance.now() - this.#since > RESTLESS) setTimeout(this.#poll, REST);
    else setImmediate(this.#poll);
  };

  /** Tests all requests. @returns whether one at least is done. */
  #look(): boolean {
    const { call, noStatus } = this.#mpi;
    const before = this.#waiting.length;
    const shared = [this.#shared?.alltoall.advance(), this.#shared?.allgather.advance()];
    const still = this.#waiting.splice(0).filter(({ requestAt, done }) => {
      call.MPI_Test(requestAt, this.#flagAt, noStatus);
      if (this.#flag[0] === 0) return true;
      done();
      return false;
    });
    this.#waiting.unshift(...still);
    const ended = still.length < before || shared.some((channel) => channel?.ended);
    if (ended || shared.some((channel) => channel?.moved)) this.#since = performance.now();
    return ended;
  }

  #number(name: 'MPI_Comm_rank' | 'MPI_Comm_size', of: Word = this.#mpi.world): number {
    const out = new Int32Array(1);
    this.#mpi.call[name](of, this.#mpi.address(out));
    return out[0] as number;
  }

  #duplicate(): bigint | number {
    return this.#handle((out) => this.#mpi.call.MPI_Comm_dup(this.#mpi.world, out));
  }

  /** What a call writes to an address as a handle. */
  #handle(make: (out: bigint) => void): bigint | number {
    const out = new BigUint64Array(1);
    make(this.#mpi.address(out));
    return this.#mpi.handleBytes === 8 ? (out[0] as bigint) : Number((out[0] as bigint) & 0xffffffffn) | 0;
  }

  /** Channels through memory that all ranks see; undefined where they are on several hosts. */
  #share() {
    const { call, world, noInfo, byHost, address, memory } = this.#mpi;
    const here = this.#handle((out) => call.MPI_Comm_split_type(world, byHost, this.rank, noInfo, out));
    if (this.#number('MPI_Comm_size', here) < this.size || this.size > CHANNEL_RANKS) return undefined;
    const [at, bytes, unit] = [new BigUint64Array(1), new BigUint64Array(1), new Int32Array(1)];
    const window = this.#handle((out) =>
      call.MPI_Win_allocate_shared(2 * CHANNEL_BYTES, 1, noInfo, here, address(at), out),
    );
    const whole = Array.from({ length: this.size }, (_, rank) => {
      call.MPI_Win_shared_query(window, rank, address(bytes), address(unit), address(at));
      return memory(at[0] as bigint, 2 * CHANNEL_BYTES);
    });
    const clear = whole[this.rank] as Bytes;
    clear.fill(0);
    call.MPI_Barrier(here); // nothing is posted before all are clear
    // Where there are cores they copy, and this thread records the backward meanwhile.
    const copy = this.#rests ? this.#mpi.copies.here : this.#mpi.copies.elsewhere;
    const channel = (first: number, toAll: boolean) => {
      const memory = whole.map((all) => all.subarray(first, first + CHANNEL_BYTES));
      return new SharedChannel(this.rank, memory, toAll, copy);
    };
    return { alltoall: channel(0, false), allgather: channel(CHANNEL_BYTES, true) };
  }
}
