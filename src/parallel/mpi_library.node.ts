import type { LibraryHandle } from 'koffi';
import { type Memory, ParallelError, type Region } from './communicator.ts';
import type { Launch } from './launcher.node.ts';
import type { Copy, Part } from './shared_channel.ts';

/** Where the libraries lie, by what answers whom: those of Open MPI, and those with MPICH's binary interface. */
const LIBRARIES = {
  'Open MPI': ['libmpi.so.40', 'libmpi.40.dylib', '/opt/homebrew/lib/libmpi.40.dylib', 'libmpi.so', 'libmpi.dylib'],
  MPICH: ['libmpich.so.12', 'libmpi.so.12', 'libmpich.so', 'libmpi.12.dylib', '/opt/homebrew/lib/libmpi.12.dylib'],
};

type Koffi = Pick<typeof import('koffi'), 'load' | 'address' | 'view'>;

/** Of a handle or a pointer as it is passed. */
export type Word = number | bigint | null;
type Call = (...args: readonly Word[]) => number;

/** The calls of MPI that we make. Addresses are of memory that stays where it is until the call, or its request, has ended. */
export interface MpiLibrary {
  /** `Open MPI v4.1.4`. */
  readonly version: string;
  /** Handles of the constants, as this library has them. */
  readonly world: Word;
  readonly byte: Word;
  readonly noInfo: Word;
  /** The kind of split by host. */
  readonly byHost: number;
  /** What is passed where a status is not wanted. */
  readonly noStatus: Word;
  /** Bytes of a handle in memory: MPICH's are int, Open MPI's are addresses. */
  readonly handleBytes: 4 | 8;
  readonly address: (memory: ArrayBufferView | Region) => bigint;
  /** Memory of MPI's at an address, as long as MPI has it. */
  readonly memory: (at: bigint, bytes: number) => Uint8Array<ArrayBuffer>;
  /** Copies bytes, on this thread or on another. Both memories stay where they are until it is done. */
  readonly copies: { readonly here: Copy; readonly elsewhere: Copy };
  /** The first `size` bytes of a mapped buffer. @throws ParallelError where JavaScript is given a copy of them. */
  readonly mapped: (buffer: GPUBuffer, size: number) => Memory;
  readonly call: { readonly [name in keyof typeof SIGNATURES]: Call };
}

/** Result int; H a handle, P an address, I an int, S a size. */
const SIGNATURES = {
  MPI_Init: 'PP',
  MPI_Finalize: '',
  MPI_Abort: 'HI',
  MPI_Comm_rank: 'HP',
  MPI_Comm_size: 'HP',
  MPI_Comm_dup: 'HP',
  MPI_Barrier: 'H',
  MPI_Comm_split_type: 'HIIHP',
  MPI_Win_allocate_shared: 'SIHHPP',
  MPI_Win_shared_query: 'HIPPP',
  MPI_Alltoall: 'PIHPIHH',
  MPI_Ialltoall: 'PIHPIHHP',
  MPI_Iallgather: 'PIHPIHHP',
  MPI_Ibcast: 'PIHIHP',
  MPI_Isend: 'PIHIIHP',
  MPI_Irecv: 'PIHIIHP',
  MPI_Test: 'PPP',
} as const;

/**
 * Loads the MPI that the launcher is of, through koffi.
 * @param chosen path of a library instead (UCGM_MPI). @throws ParallelError where koffi or every library is missing.
 */
export async function loadMpi({ kind }: Launch, chosen?: string): Promise<MpiLibrary> {
  let koffi: Koffi;
  try {
    koffi = (await import('koffi')).default;
  } catch {
    throw new ParallelError(
      `started by ${kind}, but the package koffi, which calls MPI, is not installed`,
      'npm install koffi',
    );
  }
  const names =
    chosen !== undefined
      ? [chosen]
      : kind === 'MPICH'
        ? LIBRARIES.MPICH
        : [...LIBRARIES['Open MPI'], ...(kind === 'Slurm' ? LIBRARIES.MPICH : [])];
  let handle: LibraryHandle | undefined;
  for (const name of names) {
    try {
      handle = koffi.load(name, { global: true, lazy: true }); // global: Open MPI's own plugins look their symbols up
      break;
    } catch {}
  }
  if (!handle)
    throw new ParallelError(
      `started by ${kind}, but none of its libraries was found (${names.join(', ')})`,
      'install it (Debian: libopenmpi3, or libmpich12), or set UCGM_MPI to the path of libmpi',
    );
  return bind(koffi, handle);
}

function bind(koffi: Koffi, library: LibraryHandle): MpiLibrary {
  const text = Buffer.alloc(8192); // MPI_MAX_LIBRARY_VERSION_STRING of both
  const length = new Int32Array(1);
  library.func('MPI_Get_library_version', 'int', ['void *', 'void *'])(text, length);
  const version = text.toString('utf8', 0, length[0]).replace(/\0/g, '');
  const open = version.startsWith('Open MPI');
  const constant = (name: string, ofMpich: number): Word => (open ? (library.symbol(name) as bigint) : ofMpich);
  const types = { P: 'void *', I: 'int', S: 'int64_t', H: open ? 'void *' : 'int' };
  const call = Object.fromEntries(
    Object.entries(SIGNATURES).map(([name, args]) => [
      name,
      library.func(
        name,
        'int',
        [...args].map((arg) => types[arg as keyof typeof types]),
      ) as Call,
    ]),
  );
  const address = (memory: ArrayBufferView | Region) =>
    ArrayBuffer.isView(memory) ? koffi.address(memory) : memory.at;
  return {
    version:
      /^(Open MPI v[\w.]+)|^MPICH Version:\s*([\w.]+)/
        .exec(version)
        ?.slice(1)
        .find(Boolean)
        ?.replace(/^(?=\d)/, 'MPICH v') ?? (version.split(/[\n,]/)[0] as string),
    // The constants of MPICH's binary interface, which Intel MPI, MVAPICH and Cray's share; those of Open MPI are addresses.
    world: constant('ompi_mpi_comm_world', 0x44000000),
    byte: constant('ompi_mpi_byte', 0x4c00010d),
    noInfo: constant('ompi_mpi_info_null', 0x1c000000),
    byHost: open ? 0 : 1,
    noStatus: open ? null : 1n,
    handleBytes: open ? 8 : 4,
    address,
    memory: (at, bytes) => new Uint8Array(koffi.view(at, bytes)),
    copies: copies(library, address),
    mapped: mappedRegions(address),
    call: call as MpiLibrary['call'],
  };
}

/** Copies by koffi's threads, of which so many can wait (`max_async_calls`). */
const MOST_COPIES = 192;

/** Copies by memcpy, which every MPI is linked to: on this thread, or, unless too many wait, on another. */
function copies(library: LibraryHandle, address: MpiLibrary['address']): { here: Copy; elsewhere: Copy } {
  const memcpy = library.func('memcpy', 'void *', ['void *', 'void *', 'size_t']);
  const place = ([of, first]: Part) => address(of) + BigInt(first);
  let waiting = 0;
  const here: Copy = (to, from, bytes, done) => {
    memcpy(place(to), place(from), bytes);
    done();
  };
  const elsewhere: Copy = (to, from, bytes, done) => {
    if (waiting >= MOST_COPIES) return here(to, from, bytes, done);
    waiting++;
    memcpy.async(place(to), place(from), bytes, (error: Error | null) => {
      if (error) throw error;
      waiting--;
      done();
    });
  };
  return { here, elsewhere };
}

/** Bytes of a range that says where a mapped buffer is. */
const EDGE = 8;

/**
 * Says where the first bytes of mapped buffers are. V8 takes all of a mapped range for memory of its own, and collects garbage for tens of
 * milliseconds once ranges have come to more than its heap may grow by; so only the first bytes are asked for, and, once for each
 * buffer, the last.
 */
function mappedRegions(address: MpiLibrary['address']): MpiLibrary['mapped'] {
  const inOnePiece = new WeakSet<GPUBuffer>();
  return (buffer, size) => {
    if (size < 2 * EDGE) return new Uint8Array(buffer.getMappedRange(0, size));
    const edge = (at: number) => address(new Uint8Array(buffer.getMappedRange(at, EDGE)));
    const at = edge(0);
    if (!inOnePiece.has(buffer)) {
      const last = buffer.size - EDGE - (buffer.size % EDGE);
      if (edge(last) - at !== BigInt(last))
        throw new ParallelError(
          'JavaScript is given copies of mapped buffers here, not their memory',
          'use a Node without pointer compression',
        );
      inOnePiece.add(buffer);
    }
    return { at, length: size };
  };
}
