import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const SCRIPT = resolve(import.meta.dirname, '../../tools/one-card.sh');

/** Runs the script for a rank of a host with such device files; what the command sees of them that is not hidden. */
function run(files: readonly string[], env: { [name: string]: string }) {
  const devices = mkdtempSync(join(tmpdir(), 'ucgm-cards-'));
  for (const file of files) writeFileSync(join(devices, file), file);
  const words = ['sh', '-c', 'cat "$1"/nvidia*; echo " $2"', 'sh', devices, 'a b'];
  const { PATH } = process.env;
  const { status, stdout, stderr } = spawnSync(SCRIPT, words, {
    env: { PATH, ...env, DEVICES: devices },
    encoding: 'utf8',
  });
  rmSync(devices, { recursive: true, force: true });
  return { status, stdout, stderr };
}

const CARDS = ['nvidia2', 'nvidia10', 'nvidiactl'];
const mayHide = spawnSync('unshare', [process.getuid?.() === 0 ? '-m' : '-rm', 'true']).status === 0;
if (!mayHide) console.log('left out: hiding a card, as this system lets no process have mounts of its own');

describe('one-card.sh', () => {
  it.runIf(mayHide)('leaves each rank one card', () => {
    const second = { stdout: 'nvidia10nvidiactl a b\n', status: 0 };
    expect(run(CARDS, { CARD: '1' })).toMatchObject(second);
    expect(run(CARDS, { SLURM_LOCALID: '1' })).toMatchObject(second);
    expect(run(CARDS, { OMPI_COMM_WORLD_LOCAL_RANK: '0' }).stdout).toBe('nvidia2nvidiactl a b\n');
  });

  it('hides nothing where there is one', () => {
    expect(run(['nvidia3', 'nvidiactl'], { MPI_LOCALRANKID: '0' })).toMatchObject({
      stdout: 'nvidia3nvidiactl a b\n',
      status: 0,
    });
  });

  it('says what is wrong', () => {
    expect(run(CARDS, { CARD: '2' })).toMatchObject({
      status: 2,
      stderr: 'one-card.sh: rank 2 of this host, which has 2 NVIDIA cards. Fix: start fewer ranks a host\n',
    });
    expect(run(CARDS, {}).stderr).toContain('start it by mpirun, mpiexec or srun');
  });
});
