/** What a launcher (mpirun, mpiexec, srun) tells a process that it started as one of several. */
export interface Launch {
  /** Processes in all. */
  readonly size: number;
  /** This process among them. */
  readonly rank: number;
  /** Whose environment it is, which decides what library can answer it. */
  readonly kind: 'Open MPI' | 'MPICH' | 'Slurm';
}

/** Reads the environment that a launcher leaves; undefined for a process that was started by itself, or as the only one. */
export function launchOf(env: { readonly [name: string]: string | undefined }): Launch | undefined {
  const number = (name: string) => (/^\d+$/.test(env[name] ?? '') ? Number(env[name]) : undefined);
  const kinds = [
    { kind: 'Open MPI', size: number('OMPI_COMM_WORLD_SIZE'), rank: number('OMPI_COMM_WORLD_RANK') },
    { kind: 'MPICH', size: number('PMI_SIZE'), rank: number('PMI_RANK') },
    // Of a step that srun started; a script of sbatch, whose tasks are yet to be started, has no size.
    { kind: 'Slurm', size: number('SLURM_STEP_NUM_TASKS'), rank: number('SLURM_PROCID') },
  ] as const;
  for (const { kind, size = 1, rank } of kinds) if (size > 1 && rank !== undefined) return { kind, size, rank };
  return undefined;
}
