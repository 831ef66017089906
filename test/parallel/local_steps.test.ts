/** Ranks that take local steps, and an outer one together: on the software adapter of one machine, as in ranks.test.ts. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '../../src/io/safetensors.node.ts';
import { ALONE } from '../../src/parallel/communicator.ts';
import { sharesOf } from '../../src/parallel/share.ts';
import { FolderStore } from '../../src/run/folder_store.node.ts';
import { testDevice } from '../gpu.ts';
import { nesterov } from '../reference/index.ts';
import { OUTER, type Rounds } from './local_rounds.ts';
import { mpiVersion, startRanks } from './mpirun.ts';
import { BATCH, configOf, LOCAL, trainIn } from './training.ts';

const folder = mkdtempSync(join(tmpdir(), 'ucgm-local-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const told = <T>(name: string, rank: number): T =>
  JSON.parse(readFileSync(join(folder, `${name}.${rank}.json`), 'utf8'));
const checkpoint = (run: string, step: number) => join(folder, run, 'checkpoints', `${step}.safetensors`);

async function together(ranks: number, ...tasks: string[]): Promise<void> {
  const { code, stderr } = await startRanks(ranks, 'test/parallel/rank.ts', [folder, ...tasks]).ended;
  expect(code, stderr).toBe(0);
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

describe.runIf(mpiVersion)('ranks that take local steps', () => {
  beforeAll(async () => {
    await together(
      2,
      'rounds:rounds of two',
      'train+local:two',
      'train+local:again',
      'train+local+mixed:mixed',
      'train+local+accumulate+bf16:in passes',
      'diverge+local:diverged',
    );
    for (const copy of ['on one', 'on two', 'on three']) {
      const run = FolderStore.create(join(folder, copy));
      await run.writeSettings(configOf(LOCAL));
      writeFileSync(run.checkpointPath(10), readFileSync(checkpoint('two', 10)));
    }
    await together(2, 'resume+local:on two');
    await together(3, 'rounds:rounds of three', 'resume+local:on three');
  });

  it.each([
    [2, 'rounds of two'],
    [3, 'rounds of three'],
  ] as const)('%i have the weights that the mean of what they came to gives, as in f64, all the same', (size, name) => {
    const all = Array.from({ length: size }, (_, rank) => told<Rounds>(name, rank));
    const shares = sharesOf(BATCH, size);
    let start: ArrayLike<number> = (all[0] as Rounds).start;
    let m: ArrayLike<number> = Array.from(start, () => 0);
    for (const round of [0, 1]) {
      const from = start;
      const gradient = Float64Array.from(from, (v, i) =>
        all.reduce((sum, { own }, rank) => sum + (shares[rank] as number) * (v - (own[round]?.[i] as number)), 0),
      );
      expect(Math.max(...gradient)).toBeGreaterThan(1e-3);
      const next = nesterov({ param: from, m }, gradient, OUTER.lr, OUTER.momentum);
      [start, m] = [next.param, next.m];
      const after = (all[0] as Rounds).after[round] as number[];
      after.forEach((v, i) => void expect(Math.abs(v - (next.param[i] as number))).toBeLessThan(1e-6));
      for (const rank of all) {
        expect(rank.after[round]).toEqual(after);
        expect(rank.own[round]).not.toEqual(after);
      }
    }
    expect(all[1]?.own).not.toEqual(all[0]?.own); // each has its share of the batch
    for (const { average } of all) expect(average).toEqual(all[0]?.average);
  });

  it('learn, log the mean of their losses, and come to the same bits twice', async () => {
    const [losses, others] = [told<number[]>('two', 0), told<number[]>('two', 1)];
    expect(losses).toEqual(others);
    expect(losses).toHaveLength(20);
    const one = await trainIn(join(folder, 'gradients'), ALONE, await testDevice());
    expect(losses[0]).toBeCloseTo(one[0] as number, 5); // the same samples, by the first weights
    expect(mean(losses.slice(10))).toBeLessThan(mean(losses.slice(0, 10)));
    expect(readFileSync(checkpoint('again', 20)).equals(readFileSync(checkpoint('two', 20)))).toBe(true);
  });

  it('keep weights of all in a checkpoint, which ends a round, with the moments of rank 0', async () => {
    const { tensors, metadata } = readSafetensors(checkpoint('two', 10));
    expect(metadata.round_began).toBe('10');
    for (const [name, { data }] of tensors)
      if (name.startsWith('model/')) {
        const at = name.slice('model/'.length);
        expect(tensors.get(`outer_start/${at}`)?.data).toEqual(data);
        expect(tensors.has(`m/${at}`) && tensors.has(`outer_m/${at}`)).toBe(true);
      }
  });

  it('go on from two to one, to two and to three, rank 0 as it was', async () => {
    const config = configOf(LOCAL);
    const one = await trainIn(join(folder, 'on one'), ALONE, await testDevice(), { config, resume: true });
    const before = told<number[]>('two', 0).slice(10);
    for (const losses of [one, told<number[]>('on two', 1), told<number[]>('on three', 2)]) {
      expect(losses).toHaveLength(10);
      expect(losses[0]).toBeCloseTo(before[0] as number, 4); // the weights of all ranks, the teacher of the first
      losses.forEach((loss, i) => void expect(Math.abs(loss - (before[i] as number))).toBeLessThan(0.05));
    }
  });

  it('train in mixed precision, and in passes with a wire of bf16', () => {
    const exact = told<number[]>('two', 0);
    for (const [name, within] of [
      ['mixed', 0.01],
      ['in passes', 0.01],
    ] as const) {
      const losses = told<number[]>(name, 0);
      expect(losses).toEqual(told(name, 1));
      losses.forEach((loss, i) => void expect(Math.abs(loss - (exact[i] as number))).toBeLessThan(within));
    }
  });

  it('all end, where one alone has a loss that is not finite, and nothing is saved of it', () => {
    expect(told('diverged', 1)).toMatchObject({ name: 'NonFiniteError', step: 7 });
    expect(told('diverged', 0)).toMatchObject({
      name: 'NonFiniteError',
      message: expect.stringContaining('a step of rank 1 was not finite'),
    });
    expect(existsSync(checkpoint('diverged', 10))).toBe(false);
  });

  it('end with one that fails, which says so; the last checkpoint is whole', async () => {
    const { code, stderr } = await startRanks(2, 'test/parallel/rank.ts', [folder, 'fail+local:failed']).ended;
    expect(code).not.toBe(0);
    expect(stderr.match(/^ucgm: .*$/gm)).toEqual([
      expect.stringMatching(/^ucgm: rank 1 of 2 on \S+: +Error: the disk of rank 1 is gone/),
    ]);
    expect(readFileSync(checkpoint('failed', 10)).equals(readFileSync(checkpoint('two', 10)))).toBe(true);
    expect(existsSync(checkpoint('failed', 12))).toBe(false);
  });
});

it('an outer step without local ones is refused', async () => {
  const config = configOf({ outer: { lr: 1 } });
  await expect(trainIn(join(folder, 'none'), ALONE, await testDevice(), { config })).rejects.toThrow(
    'train.outer without train.local_steps',
  );
});
