import { expect, it } from 'vitest';
import type { Bytes } from '../../src/parallel/communicator.ts';
import { CHANNEL_BYTES, type Copy, SharedChannel } from '../../src/parallel/shared_channel.ts';

/** Numbers that tell sender, receiver and place. */
const byte = (message: number, from: number, to: number, i: number) =>
  (message * 83 + from * 31 + to * 7 + i * 13) % 251;

const copyNow: Copy = ([to, at], [from, first], bytes, done) => {
  (to as Bytes).set((from as Bytes).subarray(first, first + bytes), at);
  done();
};

/** Channels of several ranks on one memory. */
function channels(ranks: number, toAll: boolean, copy = copyNow): SharedChannel[] {
  const memory = Array.from({ length: ranks }, () => new Uint8Array(CHANNEL_BYTES));
  return memory.map((_, rank) => new SharedChannel(rank, memory, toAll, copy));
}

/** Copies that are made later, in any order. */
function copiesLater() {
  const waiting: (() => void)[] = [];
  const copy: Copy = (...given) => void waiting.push(() => copyNow(...given));
  const make = (turn: number) => waiting.splice(turn % Math.max(1, waiting.length), 1)[0]?.();
  return { copy, make };
}

it.each([
  [2, false, false],
  [2, true, true],
  [3, false, true],
  [3, true, false],
  [8, false, false],
  [8, true, true],
])(
  '%i ranks get what each other sent, several messages at a time, whoever comes when (to all: %s, copied later: %s)',
  async (ranks, toAll, later) => {
    const { copy, make } = copiesLater();
    const all = channels(ranks, toAll, later ? copy : undefined);
    const sizes = [1, 0, 300_001, 64, 9_600_000 / ranks]; // bytes to one rank: all slots twice, less than one, none
    const received: Uint8Array[][] = all.map(() => []);
    const over = all.flatMap((channel, from) =>
      sizes.map((part, message) => {
        const send = new Uint8Array(toAll ? part : part * ranks);
        for (let to = 0; to < (toAll ? 1 : ranks); to++)
          for (let i = 0; i < part; i += i < 100 ? 1 : 977) send[to * part + i] = byte(message, from, to, i);
        const receive = new Uint8Array(part * ranks).fill(255);
        received[from]?.push(receive);
        return channel.start(send, receive);
      }),
    );
    let turn = 1;
    for (let i = 0; i < 1e5 && all.some((channel) => !channel.idle); i++) {
      turn = (turn * 48271) % 2147483647;
      all[turn % ranks]?.advance();
      make(turn >> 8);
    }
    expect(all.every((channel) => channel.idle)).toBe(true);
    await Promise.all(over);
    for (const [to, messages] of received.entries())
      for (const [message, receive] of messages.entries()) {
        const part = sizes[message] as number;
        for (let from = 0; from < ranks; from++)
          for (let i = 0; i < part; i += i < 100 ? 1 : 977)
            expect(receive[from * part + i]).toBe(byte(message, from, toAll ? 0 : to, i));
        expect(receive.includes(255)).toBe(false); // all of it came
      }
  },
);

it('a message without what a rank has for itself leaves its place as it is', async () => {
  for (const toAll of [false, true]) {
    const all = channels(2, toAll);
    const received = all.map(() => new Uint8Array(200).fill(255));
    const over = all.map((channel, rank) =>
      channel.start(
        new Uint8Array(toAll ? 100 : 200).fill(rank),
        received[rank] as Uint8Array<ArrayBuffer>,
        'left out',
      ),
    );
    while (all.some((channel) => !channel.idle)) for (const channel of all) channel.advance();
    await Promise.all(over);
    for (const [rank, receive] of received.entries()) {
      expect(new Set(receive.subarray(100 * rank, 100 * rank + 100))).toEqual(new Set([255]));
      expect(new Set(receive.subarray(100 - 100 * rank, 200 - 100 * rank))).toEqual(new Set([1 - rank]));
    }
  }
});

it('what a rank has for itself needs no place', async () => {
  const all = channels(3, true);
  const received = all.map(() => new Uint8Array(200));
  const over = all.map((channel, rank) =>
    channel.start(new Uint8Array(100).fill(rank), received[rank] as Uint8Array<ArrayBuffer>, 'others'),
  );
  while (all.some((channel) => !channel.idle)) for (const channel of all) channel.advance();
  await Promise.all(over);
  for (const [rank, receive] of received.entries()) {
    const others = [0, 1, 2].filter((from) => from !== rank);
    expect([...receive]).toEqual(others.flatMap((from) => Array(100).fill(from)));
  }
});
