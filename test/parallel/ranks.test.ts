/**
 * Ranks that MPI starts, on the software adapter of one machine: they train what one process does. Where no MPI is installed, which
 * bootstrap says, these cases are left out, and a line says so.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '../../src/io/safetensors.node.ts';
import { toFloat32 } from '../../src/io/safetensors.ts';
import { ALONE } from '../../src/parallel/communicator.ts';
import { FolderStore } from '../../src/run/folder_store.node.ts';
import { testDevice } from '../gpu.ts';
import type { exchanged } from './exchanged.ts';
import { mpiVersion, startRanks } from './mpirun.ts';
import { BATCH, configOf, sourceOf, trainIn } from './training.ts';

const folder = mkdtempSync(join(tmpdir(), 'ucgm-ranks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const told = <T>(name: string, rank: number): T =>
  JSON.parse(readFileSync(join(folder, `${name}.${rank}.json`), 'utf8'));
const checkpoint = (run: string, step: number) => join(folder, run, 'checkpoints', `${step}.safetensors`);

/** Runs tasks of rank.ts on several ranks, which all must end well. */
async function together(ranks: number, ...tasks: string[]): Promise<void> {
  const { code, stderr } = await startRanks(ranks, 'test/parallel/rank.ts', [folder, ...tasks]).ended;
  expect(code, stderr).toBe(0);
}

/** The greatest difference of weights and average in two checkpoints, of which there is one at least. */
function difference(a: string, b: string): number {
  const [ours, theirs] = [readSafetensors(a).tensors, readSafetensors(b).tensors];
  let worst = 0;
  for (const [name, tensor] of ours) {
    const other = toFloat32(theirs.get(name) as never);
    toFloat32(tensor).forEach((v, i) => {
      worst = Math.max(worst, Math.abs(v - (other[i] as number)));
    });
  }
  expect(ours.size).toBeGreaterThan(10);
  expect(theirs.size).toBe(ours.size);
  return worst;
}

function expectClose(losses: readonly number[], theirs: readonly number[]): void {
  expect(losses).toHaveLength(theirs.length);
  losses.forEach((loss, i) => void expect(Math.abs(loss - (theirs[i] as number))).toBeLessThan(1e-5));
}

if (!mpiVersion)
  console.log('left out: all cases of ranks, as no mpirun was found (Debian: openmpi-bin and libopenmpi3)');

describe.runIf(mpiVersion)('ranks', () => {
  let alone: number[];

  beforeAll(async () => {
    alone = await trainIn(join(folder, 'alone'), ALONE, await testDevice());
    expect(alone).toHaveLength(20);
    await together(
      2,
      'talk:talk',
      'copies:copied',
      'swap:swapped',
      'exchange:exchanged by two',
      'batches:batches of two',
      'train:two',
      'train:again',
      'train+accumulate:in passes',
      'diverge:diverged',
      'train+mixed:mixed',
    );
    // A run that two ranks left after 10 steps, for one to go on with, and for three.
    for (const copy of ['on one', 'on three']) {
      const run = FolderStore.create(join(folder, copy));
      await run.writeSettings(configOf());
      writeFileSync(run.checkpointPath(10), readFileSync(checkpoint('two', 10)));
    }
    await together(
      3,
      'exchange:exchanged by three',
      'batches:batches of three',
      'train:three',
      'resume:on three',
      'train+bf16:bf16',
    );
  });

  it('hear each other', () => {
    for (const rank of [0, 1])
      expect(told('talk', rank)).toMatchObject({ heard: 'from 0', texts: ['', 'aaa'], none: false, any: true });
    expect(told<{ engine: string }>('talk', 0).engine).toMatch(/^(Open MPI|MPICH) v\d/);
  });

  it('of two get what the other sends', () => {
    for (const rank of [0, 1]) expect(told('swapped', rank)).toEqual([1, 2].map(() => 1_000_001 * (2 - rank)));
  });

  it('can have other threads copy what goes through the memory of all', () => {
    for (const rank of [0, 1]) expect(told('copied', rank)).toBe(0);
  });

  it.each([2, 3])('%i come to the mean of what they had, whatever the pieces and their shares', (size) => {
    type Exchanged = { [wire in 'f32' | 'bf16']: Awaited<ReturnType<typeof exchanged>> };
    const all = Array.from({ length: size }, (_, rank) =>
      told<Exchanged>(size === 2 ? 'exchanged by two' : 'exchanged by three', rank),
    );
    for (const { f32, bf16 } of all) {
      expect(f32.chunks).toBeGreaterThan(2);
      expect(f32.worst).toBeLessThan(2e-7); // of numbers up to 1
      expect(bf16.worst).toBeLessThan(2 ** -7.5); // two roundings to 8 bits
      expect(bf16.worst).toBeGreaterThan(2 ** -10);
      expect(Math.max(f32.ofLoss, bf16.ofLoss)).toBeLessThan(2e-7);
      expect([f32.bits, bf16.bits]).toEqual([all[0]?.f32.bits, all[0]?.bf16.bits]);
    }
  });

  it('have the samples of the whole batch, each its part', async () => {
    const whole = sourceOf(configOf(), ALONE);
    for (const [name, size] of [
      ['batches of two', 2],
      ['batches of three', 3],
    ] as const)
      for (const [i, step] of [0, 7].entries()) {
        const { x, labels } = await whole.batch(step);
        const parts = Array.from(
          { length: size },
          (_, rank) => told<{ x: number[]; labels: number[] }[]>(name, rank)[i],
        );
        expect(labels).toHaveLength(BATCH);
        expect(parts.flatMap((part) => part?.labels)).toEqual([...labels]);
        expect(parts.flatMap((part) => part?.x)).toEqual([...x]);
      }
  });

  it.each([2, 3])('%i ranks come to the losses and the weights of one', (size) => {
    const name = size === 2 ? 'two' : 'three';
    for (let rank = 0; rank < size; rank++) expectClose(told(name, rank), alone);
    expect(difference(checkpoint(name, 20), checkpoint('alone', 20))).toBeLessThan(1e-5);
  });

  it('come to the same bits twice', () => {
    expect(readFileSync(checkpoint('again', 20)).equals(readFileSync(checkpoint('two', 20)))).toBe(true);
  });

  it('go on from two to one, and from two to three', async () => {
    const one = await trainIn(join(folder, 'on one'), ALONE, await testDevice(), { resume: true });
    expectClose(one, alone.slice(10));
    expectClose(told('on three', 2), alone.slice(10));
    for (const name of ['on one', 'on three'])
      expect(difference(checkpoint(name, 20), checkpoint('two', 20))).toBeLessThan(1e-5);
  });

  it('take a step in several passes each', () => {
    expectClose(told('in passes', 1), alone);
    expect(difference(checkpoint('in passes', 20), checkpoint('alone', 20))).toBeLessThan(1e-5);
  });

  it('train in mixed precision, scale and skipped steps the same on all', async () => {
    const one = await trainIn(join(folder, 'mixed alone'), ALONE, await testDevice(), {
      config: configOf({ precision: 'mixed' }),
    });
    const losses = told<number[]>('mixed', 0);
    expect(losses).toEqual(told('mixed', 1));
    expect(losses).toHaveLength(one.length);
    losses.forEach((loss, i) => void expect(Math.abs(loss - (one[i] as number))).toBeLessThan(5e-3));
  });

  it('hold the same step, where one alone has a loss that is not finite', () => {
    for (const rank of [0, 1])
      expect(told('diverged', rank)).toMatchObject({
        name: 'NonFiniteError',
        step: 7,
        message: expect.stringContaining('step 7 was not taken'),
      });
    expect(existsSync(checkpoint('diverged', 10))).toBe(false);
  });

  it('send bf16, and learn as well', () => {
    const losses = told<number[]>('bf16', 0);
    expect(losses).toEqual(told('bf16', 2));
    expect(Math.abs((losses[0] as number) - (alone[0] as number))).toBeLessThan(1e-6); // the loss is sent as it is
    losses.forEach((loss, i) => void expect(Math.abs(loss - (alone[i] as number))).toBeLessThan(5e-3));
    expect(difference(checkpoint('bf16', 20), checkpoint('alone', 20))).toBeGreaterThan(1e-5);
  });

  it('one that fails ends all, and says which it was; the last checkpoint is whole', async () => {
    const { code, stderr } = await startRanks(2, 'test/parallel/rank.ts', [folder, 'fail:failed']).ended;
    expect(code).not.toBe(0);
    expect(stderr.match(/^ucgm: .*$/gm)).toHaveLength(1);
    expect(stderr).toMatch(/^ucgm: rank 1 of 2 on \S+: +Error: the disk of rank 1 is gone/m);
    expect(difference(checkpoint('failed', 10), checkpoint('two', 10))).toBe(0);
    expect(existsSync(checkpoint('failed', 20))).toBe(false);
  });
});
