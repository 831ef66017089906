import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { bundle, ROOT } from '../bundle.ts';

/** The launcher of the MPI that is installed; MPIRUN names another one. */
const MPIRUN = process.env.MPIRUN ?? 'mpirun';

/** What the launcher says of itself; undefined where there is none. Bootstrap installs Open MPI where it may. */
export const mpiVersion = spawnSync(MPIRUN, ['--version'], { encoding: 'utf8' }).stdout?.split('\n')[0];

export interface RanksEnded {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a program as several ranks. */
export function startRanks(
  ranks: number,
  entry: string,
  args: readonly string[],
  env: { [name: string]: string } = {},
) {
  const openMpi = mpiVersion?.includes('Open MPI') || mpiVersion?.includes('OpenRTE');
  const flags = openMpi ? ['--oversubscribe', '--bind-to', 'none'] : [];
  const command = [...flags, '-n', String(ranks), process.execPath, bundle(entry), ...args];
  const child: ChildProcess = spawn(MPIRUN, command, {
    cwd: ROOT,
    env: { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout?.on('data', (data) => (stdout += data));
  child.stderr?.on('data', (data) => (stderr += data));
  const ended = new Promise<RanksEnded>((done) => {
    child.on('close', (code) => done({ code, stdout, stderr }));
  });
  return { child, ended, printed: () => stdout };
}
