import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ReadAhead } from '../../src/data/read_ahead.ts';

describe('ReadAhead', () => {
  it('holds as many steps as it may, one read at a time, however long the run', async () => {
    let [now, most] = [0, 0];
    const ahead = new ReadAhead(async (step) => {
      most = Math.max(most, ++now);
      await sleep(0);
      now--;
      return step;
    }, 3);
    for (let step = 0; step < 100; step++) {
      expect(await ahead.get(step)).toBe(step);
      expect(ahead.held).toBe(3);
    }
    expect(most).toBe(1);
    await ahead.close();
    expect([ahead.held, now]).toEqual([0, 0]);
  });

  it('has the next step ready after a pause', async () => {
    const done: number[] = [];
    const ahead = new ReadAhead(async (step) => done.push(step), 2);
    await ahead.get(0);
    await sleep(10);
    expect(done).toEqual([0, 1, 2]);
    await ahead.get(1);
    await sleep(10);
    expect(done).toEqual([0, 1, 2, 3]);
    await ahead.get(9); // elsewhere: what was held is dropped
    await sleep(10);
    expect(done).toEqual([0, 1, 2, 3, 9, 10, 11]);
    await ahead.close();
  });

  it('stops what it reads on closing, and keeps the failures of what nobody asked for', async () => {
    const unhandled: unknown[] = [];
    const hear = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', hear);
    const started: number[] = [];
    const ahead = new ReadAhead(async (step, signal) => {
      started.push(step);
      if (step === 0) return step;
      while (!signal.aborted) await sleep(1);
      throw signal.reason;
    }, 3);
    await ahead.get(0);
    await sleep(5);
    await ahead.close();
    await sleep(5);
    process.off('unhandledRejection', hear);
    expect(started).toEqual([0, 1]);
    expect(unhandled).toEqual([]);
  });
});
