import { availableParallelism } from 'node:os';

/** What a launcher (mpirun, mpiexec, srun) tells a process that it started as one of several. */
export interface Launch {
  /** Processes in all. */
  readonly size: number;
  /** This process among them. */
  readonly rank: number;
  /** Processes on this host, as far as it is told: all if not. */
  readonly here: number;
  /** Whose environment it is, which decides what library can answer it. */
  readonly kind: 'Open MPI' | 'MPICH' | 'Slurm';
}

/** Reads the environment that a launcher leaves; undefined for a process that was started by itself, or as the only one. */
export function launchOf(env: { readonly [name: string]: string | undefined }): Launch | undefined {
  const number = (name: string) => (/^\d+$/.test(env[name] ?? '') ? Number(env[name]) : undefined);
  const kinds = [
    ['Open MPI', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_LOCAL_SIZE'],
    ['MPICH', 'PMI_SIZE', 'PMI_RANK', 'MPI_LOCALNRANKS'],
    // Of a step that srun started; a script of sbatch, whose tasks are yet to be started, has no size.
    ['Slurm', 'SLURM_STEP_NUM_TASKS', 'SLURM_PROCID', 'SLURM_NTASKS_PER_NODE'],
  ] as const;
  for (const [kind, ...names] of kinds) {
    const [size = 1, rank, here = size] = names.map(number);
    if (size > 1 && rank !== undefined) return { kind, size, rank, here };
  }
  return undefined;
}

/** Whether each rank of this host has a core for JavaScript and one for its device: then a wait need not sleep. */
export const hasCores = ({ here }: Launch): boolean => availableParallelism() >= 2 * here;
