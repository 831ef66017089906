import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { casesFor, type ScalingRow, wireSpeed } from '../../bench/scaling_case.ts';
import { efficiency, fitCompute, fitWire, type Measured, sentBytes, stepMs } from '../../bench/scaling_model.ts';
import { bundle } from '../bundle.ts';
import { mpiVersion } from '../parallel/mpirun.ts';

const MODEL = { name: 'step TiT-S/2 b64', batch: 64, steps: 20, losses: 10 };

describe('the cases of bench/scaling.ts', () => {
  it('are one batch together, a batch each, and several each; on one card what each of more has', () => {
    const short = (ranks: number) =>
      casesFor(ranks, MODEL, 4, [1, 2, 4]).map(({ batch, accumulate, losses }) => [batch, accumulate, losses]);
    expect(short(1)).toEqual([
      [64, 1, 10],
      [32, 1, 0],
      [16, 1, 0],
      [256, 4, 0],
    ]);
    expect(short(4)).toEqual([
      [16, 1, 10],
      [64, 1, 0],
      [256, 4, 0],
    ]);
  });

  it('have a speed on the wire: what a rank sends and gets of a reduce-scatter and an allgather', () => {
    const row = { ranks: 4, wireBytes: 1e9 } as ScalingRow;
    expect(wireSpeed(row, 1500)).toBeCloseTo(1); // 3/4 of a GB twice in 1.5 s
  });
});

describe('the model of a step', () => {
  const compute = { fixedMs: 5, sampleMs: 2, bytes: 4e6 };
  const wire = { fixedMs: 3, bytesPerMs: 1e6 };
  const plan = { ranks: 4, batch: 10, passes: 1, wire: 'f32', every: 1, overlap: 0 } as const;

  it('is compute and what shows of the wire', () => {
    expect(stepMs(compute, wire, { ...plan, ranks: 1 })).toBe(25);
    expect(stepMs(compute, wire, plan)).toBe(25 + 3 + 6); // 3/4 of 4 MB twice
    expect(stepMs(compute, wire, { ...plan, wire: 'bf16' })).toBe(25 + 3 + 3);
    expect(stepMs(compute, wire, { ...plan, passes: 4 })).toBe(100 + 9);
    expect(stepMs(compute, wire, { ...plan, every: 9 })).toBe(25 + 1);
    expect(stepMs(compute, wire, { ...plan, overlap: 1 })).toBe(25); // 16 ms of backward
    expect(stepMs(compute, wire, { ...plan, every: 9, overlap: 1 })).toBe(25 + 1); // it comes after local steps
    expect(efficiency(compute, wire, { ...plan, every: 9 })).toBeCloseTo(25 / 26);
  });

  it('is found again in measurements that follow it', () => {
    const row = (ranks: number, batch: number, kind: string): Measured => {
      const wireBytes = kind === 'none' ? 0 : kind === 'bf16' ? 2e6 : 4e6;
      const exchangeMs = ranks === 1 ? undefined : 3 + sentBytes(wireBytes, ranks) / 1e6;
      return {
        ranks,
        batch,
        accumulate: 1,
        wire: kind,
        model: 'm',
        stepMs: 5 + (2 * batch) / ranks,
        wireBytes,
        exchangeMs,
      };
    };
    const rows = [row(1, 8, 'none'), row(1, 4, 'none'), row(2, 8, 'f32'), row(2, 8, 'bf16')];
    const found = fitCompute(rows, 'm');
    expect(found.fixedMs).toBeCloseTo(5);
    expect(found.sampleMs).toBeCloseTo(2);
    expect(found.bytes).toBe(4e6);
    expect(fitWire(rows).fixedMs).toBeCloseTo(3);
    expect(fitWire(rows).bytesPerMs).toBeCloseTo(1e6);
  });
});

if (!mpiVersion) console.log('left out: bench/scaling.ts and bench/wire.ts, as no mpirun was found');

describe.runIf(mpiVersion)('bench/scaling.ts', () => {
  it('measures one and two ranks, whose losses are the same', () => {
    const args = [bundle('bench/scaling.ts'), '--model', 'tiny', '--ranks', '1,2', '--passes', '2', '--share-device'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    const rows = stdout.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as ScalingRow] : []));
    expect(rows.map(({ ranks, batch, accumulate, wire }) => `${ranks} ${batch} ${accumulate} ${wire}`)).toEqual([
      '1 12 1 none',
      '1 6 1 none',
      '1 24 2 none',
      ...['12 1', '24 1', '48 2'].flatMap((kase) => [`2 ${kase} f32`, `2 ${kase} bf16`]),
    ]);
    for (const row of rows) expect(row.imagesPerSecond).toBeCloseTo((row.batch * 1000) / row.stepMs, 3);
    for (const row of rows.filter(({ ranks }) => ranks > 1)) {
      expect(row.exchangeMs).toBeGreaterThan(0);
      expect(row.plainMs).toBeGreaterThan(0);
      expect(row.wireBytes).toBe((row.wire === 'bf16' ? 2 : 4) * 335_168);
    }
    expect(stdout).toMatch(/losses of 10 steps on 2 ranks are those of one within \d\.\de-\d/);
  });
});

describe.runIf(mpiVersion)('bench/wire.ts', () => {
  it('says how fast each way was beside MPI_Alltoall', () => {
    const args = [bundle('bench/wire.ts'), '--mb', '1', '--times', '1', '--device', '--share-device'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    const rows = stdout.split('\n').filter((line) => line.startsWith('1 MB'));
    expect(rows).toHaveLength(5);
    expect(rows[0]).toMatch(/MPI_Alltoall twice .* 1\.00 of MPI_Alltoall$/);
    expect(rows[4]).toMatch(/exchange of gradients on a device +[\d.]+ ms +\d+\.\d\d GB\/s/);
  });
});
