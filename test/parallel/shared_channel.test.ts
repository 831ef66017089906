import { expect, it } from 'vitest';
import { CHANNEL_BYTES, SharedChannel } from '../../src/parallel/shared_channel.ts';

/** Numbers that tell sender, receiver and place. */
const byte = (message: number, from: number, to: number, i: number) =>
  (message * 83 + from * 31 + to * 7 + i * 13) % 251;

/** Channels of several ranks on one memory, their counters almost where they wrap. */
function channels(ranks: number, toAll: boolean): SharedChannel[] {
  const memory = Array.from({ length: ranks }, () => new Uint8Array(CHANNEL_BYTES));
  for (const { buffer } of memory)
    for (const at of Array.from({ length: ranks + 1 }, (_, i) => 16 * i)) new Int32Array(buffer)[at] = 2 ** 31 - 2;
  return memory.map((_, rank) => new SharedChannel(rank, memory, toAll));
}

it.each([
  [2, false],
  [3, false],
  [3, true],
  [8, false],
  [8, true],
])(
  '%i ranks get what each other sent, several messages at a time, whoever comes when (to all: %s)',
  async (ranks, toAll) => {
    const all = channels(ranks, toAll);
    const sizes = [1, 0, 300_001, 64, 600_000]; // bytes to one rank: many slots, less than one, none
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
      channel.start(new Uint8Array(toAll ? 100 : 200).fill(rank), received[rank] as Uint8Array<ArrayBuffer>, false),
    );
    while (all.some((channel) => !channel.idle)) for (const channel of all) channel.advance();
    await Promise.all(over);
    for (const [rank, receive] of received.entries()) {
      expect(new Set(receive.subarray(100 * rank, 100 * rank + 100))).toEqual(new Set([255]));
      expect(new Set(receive.subarray(100 - 100 * rank, 200 - 100 * rank))).toEqual(new Set([1 - rank]));
    }
  }
});
