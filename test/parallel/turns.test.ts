import { expect, it } from 'vitest';
import { Turns } from '../../src/parallel/turns.ts';

it('messages start in the order of their turns, whoever comes first, and need not end in it', async () => {
  const turns = new Turns();
  const started: number[] = [];
  const ends: (() => void)[] = [];
  const taken = [0, 1, 2].map(() => turns.take());
  const start = (i: number) =>
    taken[i]?.(() => {
      started.push(i);
      return new Promise((end) => {
        ends[i] = end;
      });
    });
  const settled = () => new Promise((done) => setTimeout(done));
  const later = [start(2), start(1)];
  await settled();
  expect(started).toEqual([]);
  const first = start(0);
  await settled();
  expect(started).toEqual([0, 1, 2]);
  for (const end of ends.slice(1)) end();
  await Promise.all(later);
  ends[0]?.();
  await first;
});
