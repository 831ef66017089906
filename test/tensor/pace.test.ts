import { expect, it } from 'vitest';
import { Pace } from '../../src/tensor/index.ts';

/** A device whose work ends when the test says so, and a clock. */
function made(most: number) {
  const ends: (() => void)[] = [];
  const clock = { ms: 0 };
  const onSubmittedWorkDone = () => new Promise<undefined>((done) => ends.push(() => done(undefined)));
  const pace = new Pace({ queue: { onSubmittedWorkDone } }, most, () => clock.ms);
  return { pace, ends, clock };
}

it('says that the device is behind after a wait that left it steps to work on, and only then', async () => {
  const { pace, ends, clock } = made(2);
  expect(await pace.room()).toBe(false);
  pace.submitted();
  expect(await pace.room()).toBe(false); // it has a step, but nothing was waited for
  pace.submitted();
  const waiting = pace.room();
  clock.ms = 3;
  ends[0]?.();
  expect(await waiting).toBe(true);
  pace.submitted();
  ends[1]?.();
  clock.ms = 3.5;
  expect(await pace.room()).toBe(false); // the host found it done
});

it('never says so where one step is on the device at most: it has nothing left', async () => {
  const { pace, ends, clock } = made(1);
  pace.submitted();
  const waiting = pace.room();
  clock.ms = 9;
  ends[0]?.();
  expect(await waiting).toBe(false);
});
