import { describe, expect, it } from 'vitest';
import { hasCores, launchOf } from '../../src/parallel/launcher.node.ts';
import { partOf, sharesOf } from '../../src/parallel/share.ts';

describe('what a launcher tells', () => {
  it('is read of Open MPI, MPICH and Slurm', () => {
    expect(launchOf({ OMPI_COMM_WORLD_SIZE: '4', OMPI_COMM_WORLD_RANK: '3' })).toEqual({
      kind: 'Open MPI',
      size: 4,
      rank: 3,
      here: 4,
    });
    expect(launchOf({ PMI_SIZE: '2', PMI_RANK: '0' })).toEqual({ kind: 'MPICH', size: 2, rank: 0, here: 2 });
    expect(launchOf({ SLURM_STEP_NUM_TASKS: '8', SLURM_PROCID: '7' })).toEqual({
      kind: 'Slurm',
      size: 8,
      rank: 7,
      here: 8,
    });
  });

  it('says how many are on this host, and so whether there are cores enough', () => {
    const launch = launchOf({
      OMPI_COMM_WORLD_SIZE: '40000',
      OMPI_COMM_WORLD_RANK: '3',
      OMPI_COMM_WORLD_LOCAL_SIZE: '20000',
    });
    expect(launch?.here).toBe(20000);
    expect([launch && hasCores(launch), launch && hasCores({ ...launch, here: 0 })]).toEqual([false, true]);
  });

  it('is nothing for a process alone, and in a script whose tasks are yet to be started', () => {
    expect(launchOf({})).toBeUndefined();
    expect(launchOf({ OMPI_COMM_WORLD_SIZE: '1', OMPI_COMM_WORLD_RANK: '0' })).toBeUndefined();
    expect(launchOf({ SLURM_NTASKS: '8', SLURM_PROCID: '0' })).toBeUndefined();
  });
});

describe('parts of a batch', () => {
  it('are all of it, as even as they go', () => {
    for (const [batch, size] of [
      [12, 3],
      [7, 3],
      [64, 1],
      [5, 5],
    ] as const) {
      const parts = Array.from({ length: size }, (_, rank) => partOf(batch, rank, size));
      let next = 0;
      for (const part of parts) {
        expect(part.first).toBe(next);
        next += part.size;
      }
      expect(next).toBe(batch);
      expect(Math.max(...parts.map((p) => p.size)) - Math.min(...parts.map((p) => p.size))).toBeLessThan(2);
      expect(sharesOf(batch, size).reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
    }
    expect(() => partOf(2, 0, 3)).toThrow('a batch of 2 for 3 ranks. Fix: set data.batch_size (--batch)');
  });
});
