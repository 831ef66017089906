import type { LibraryHandle } from 'koffi';
import { ParallelError } from './communicator.ts';
import type { Launch } from './launcher.node.ts';

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
  readonly address: (memory: ArrayBufferView) => bigint;
  /** Memory of MPI's at an address, as long as MPI has it. */
  readonly memory: (at: bigint, bytes: number) => Uint8Array<ArrayBuffer>;
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
    address: (memory) => koffi.address(memory),
    memory: (at, bytes) => new Uint8Array(koffi.view(at, bytes)),
    call: call as MpiLibrary['call'],
  };
}
