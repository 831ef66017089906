import { describe, expect, it } from 'vitest';
import { firstAlone } from '../../src/parallel/agree.ts';
import { ALONE, type Bytes, type Communicator } from '../../src/parallel/communicator.ts';

/** Ranks of one process, which hear each other. */
function ranksOf(size: number): Communicator[] {
  const rounds: { sent: Uint8Array[]; done: (() => void)[] }[] = [];
  return Array.from({ length: size }, (_, rank) => {
    let round = 0;
    return {
      ...ALONE,
      rank,
      size,
      allgather: async (given, into) => {
        const [send, receive] = [given, into] as [Bytes, Bytes];
        const own = (rounds[round++] ??= { sent: [], done: [] });
        own.sent[rank] = send.slice();
        await new Promise<void>((done) => {
          if (own.done.push(done) === size) for (const go of own.done) go();
        });
        own.sent.forEach((bytes, r) => void receive.set(bytes, r * send.length));
      },
    };
  });
}

describe('ranks that find what the first has kept', () => {
  it('wait for the first of their key, whichever others there are', async () => {
    const events: string[] = [];
    const kept = new Map<string, number>();
    const keys = ['a', 'b', 'a', 'b', 'a'];
    const found = await Promise.all(
      ranksOf(keys.length).map((ranks, rank) => {
        const key = keys[rank] as string;
        return firstAlone(ranks, key, async (first) => {
          events.push(`${rank} begins`);
          for (let turn = 0; turn < 5; turn++) await Promise.resolve();
          events.push(`${rank} ends`);
          if (!kept.has(key)) kept.set(key, rank);
          return { first, of: kept.get(key) };
        });
      }),
    );
    expect(found).toEqual([
      { first: true, of: 0 },
      { first: true, of: 1 },
      { first: false, of: 0 },
      { first: false, of: 1 },
      { first: false, of: 0 },
    ]);
    const begins = [2, 3, 4].map((rank) => events.indexOf(`${rank} begins`));
    expect(Math.min(...begins)).toBeGreaterThan(Math.max(events.indexOf('0 ends'), events.indexOf('1 ends')));
  });

  it('is the work itself in one process', async () => {
    expect(await firstAlone(ALONE, 'a', async (first) => first)).toBe(true);
  });
});
