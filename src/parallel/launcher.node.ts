/** What a launcher (mpirun, mpiexec, srun) tells a process that it started as one of several. */
export interface Launch {
  /** Processes in all. */
  readonly size: number;
  /** Whose environment it is, which decides what library can answer it. */
  readonly kind: 'Open MPI' | 'MPICH' | 'Slurm';
}

/** Reads the environment that a launcher leaves; undefined for a process that was started by itself, or as the only one. */
export function launchOf(env: { readonly [name: string]: string | undefined }): Launch | undefined {
  const number = (name: string) => (/^\d+$/.test(env[name] ?? '') ? Number(env[name]) : 1);
  const kinds = [
    ['Open MPI', number('OMPI_COMM_WORLD_SIZE')],
    ['MPICH', env.PMI_RANK === undefined ? 1 : number('PMI_SIZE')],
    // Of a step that srun started; a script of sbatch, whose tasks are yet to be started, has none.
    ['Slurm', number('SLURM_STEP_NUM_TASKS')],
  ] as const;
  const [kind, size] = kinds.find(([, size]) => size > 1) ?? [];
  return kind && size ? { kind, size } : undefined;
}
