/**
 * kill -9 of one of three ranks, at random moments of a training: the others end within 10 s, and the last checkpoint is whole.
 * KILLS=20 npx vitest run test/parallel/kill.test.ts for as many as one likes.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '../../src/io/safetensors.node.ts';
import { mpiVersion, startRanks } from './mpirun.ts';

const KILLS = Number(process.env.KILLS ?? 2);
/** Milliseconds after which all ranks must have ended. */
const MOST = 10_000;

const folder = mkdtempSync(join(tmpdir(), 'ucgm-kill-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const CONFIG = join(folder, 'config.yaml');
writeFileSync(
  CONFIG,
  `model: { name: tiny, hidden_size: 16, depth: 1, num_heads: 2, patch_size: 7 }
data: { name: digits, batch_size: 6 }
train: { steps: 1000000, checkpoint_every: 2, log_every: 1, keep_checkpoints: 2, sample_every: 0 }
`,
);

/** The processes that train in a folder, by rank. */
function ranksIn(out: string): Map<number, number> {
  const found = new Map<number, number>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
      const rank = /(?:OMPI_COMM_WORLD_RANK|PMI_RANK)=(\d+)/.exec(environment)?.[1];
      if (rank !== undefined && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0${out}\0`))
        found.set(Number(rank), Number(pid));
    } catch {} // it has ended
  }
  return found;
}

const checkpointsIn = (out: string) => {
  const at = join(out, 'checkpoints');
  return existsSync(at) ? readdirSync(at).filter((name) => name.endsWith('.safetensors')) : [];
};

describe.runIf(mpiVersion)('a rank that is asked to end', () => {
  it('ends all after the same step, and the state is saved', async () => {
    const out = join(folder, 'ended');
    const args = ['train', '--config', CONFIG, '--out', out, '--share-device'];
    const { ended, printed } = startRanks(2, 'tools/ucgm.ts', args);
    let over = false;
    void ended.then(() => (over = true));
    while (checkpointsIn(out).length === 0 && !over) await wait(20);
    const all = ranksIn(out);
    expect(all.size, printed()).toBe(2);
    process.kill(all.get(1) as number, 'SIGTERM');
    const { code, stderr } = await ended;
    expect(code, stderr).toBe(143);
    expect(stderr).not.toMatch(/^ucgm: /m);
    const steps = readFileSync(join(out, 'metrics.jsonl'), 'utf8').trimEnd().split('\n').length;
    expect(checkpointsIn(out)).toContain(`${steps}.safetensors`);
  });
});

describe.runIf(mpiVersion)('a rank that is killed', () => {
  it.each(Array.from({ length: KILLS }, (_, i) => i))('takes the others with it: %i', async (i) => {
    const out = join(folder, `run${i}`);
    const args = ['train', '--config', CONFIG, '--out', out, '--share-device'];
    const { ended, printed } = startRanks(3, 'tools/ucgm.ts', args);
    let over = false;
    void ended.then(() => (over = true));
    while (checkpointsIn(out).length === 0 && !over) await wait(20);
    const moment = Math.floor(Math.random() * 1000);
    await wait(moment);
    const all = ranksIn(out);
    expect([...all.keys()].sort(), printed()).toEqual([0, 1, 2]);
    const victim = i % 3;
    const start = performance.now();
    process.kill(all.get(victim) as number, 'SIGKILL');
    const { code, stdout, stderr } = await ended;
    const took = performance.now() - start;
    console.log(
      `rank ${victim} killed ${moment} ms after the first checkpoint: over after ${took.toFixed(0)} ms, exit code ${code}`,
    );
    expect(code).not.toBe(0);
    expect(took).toBeLessThan(MOST);
    expect(ranksIn(out).size).toBe(0);
    // The launcher says which rank it was, and why: Open MPI on the one, MPICH on the other.
    expect(`${stdout}${stderr}`).toMatch(/process rank \d with PID.* on signal 9|KILLED BY SIGNAL|BAD TERMINATION/s);
    const kept = checkpointsIn(out);
    expect(kept.length).toBeGreaterThan(0);
    for (const name of kept) expect(readSafetensors(join(out, 'checkpoints', name)).tensors.size).toBeGreaterThan(10);
  });
});
