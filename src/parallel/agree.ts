import type { Communicator } from './communicator.ts';

/** The text that rank 0 has, on every rank; that of the others is not asked for. */
export async function broadcastText(ranks: Communicator, text = ''): Promise<string> {
  if (ranks.size === 1) return text;
  const own = new TextEncoder().encode(text);
  const length = new Float64Array([own.length]);
  await ranks.broadcast(new Uint8Array(length.buffer));
  const bytes = ranks.rank === 0 ? own : new Uint8Array(length[0] as number);
  await ranks.broadcast(bytes);
  return new TextDecoder().decode(bytes);
}

/** The texts of all ranks, in their order. */
export async function gatherTexts(ranks: Communicator, text: string): Promise<string[]> {
  if (ranks.size === 1) return [text];
  const own = new TextEncoder().encode(text);
  const lengths = new Float64Array(ranks.size);
  await ranks.allgather(new Uint8Array(new Float64Array([own.length]).buffer), new Uint8Array(lengths.buffer));
  const longest = Math.max(...lengths);
  const [padded, all] = [new Uint8Array(longest), new Uint8Array(longest * ranks.size)];
  padded.set(own);
  await ranks.allgather(padded, all);
  return Array.from(lengths, (length, r) => new TextDecoder().decode(all.subarray(r * longest, r * longest + length)));
}

/** The numbers of all ranks, those of one after those of the one before. */
export async function gatherNumbers(
  ranks: Communicator,
  own: Float32Array<ArrayBuffer>,
): Promise<Float32Array<ArrayBuffer>> {
  if (ranks.size === 1) return own;
  const lengths = (await gatherTexts(ranks, String(own.length))).map(Number);
  const longest = Math.max(...lengths);
  const [padded, all] = [new Float32Array(longest), new Float32Array(longest * ranks.size)];
  padded.set(own);
  await ranks.allgather(new Uint8Array(padded.buffer), new Uint8Array(all.buffer));
  const joined = new Float32Array(lengths.reduce((a, b) => a + b, 0));
  let at = 0;
  for (const [rank, length] of lengths.entries()) {
    joined.set(all.subarray(rank * longest, rank * longest + length), at);
    at += length;
  }
  return joined;
}

/** Whether one rank at least says so: the same answer on all. */
export async function anyOf(ranks: Communicator, said: boolean): Promise<boolean> {
  if (ranks.size === 1) return said;
  const all = new Uint8Array(ranks.size);
  await ranks.allgather(Uint8Array.of(said ? 1 : 0), all);
  return all.includes(1);
}

/**
 * Work of every rank that finds what the first to do it has kept: of ranks with the same key the first works alone, then all others.
 * Where it fails, the others wait until all ranks are ended.
 * @param key the same where one rank finds what another keeps. @param work is told whether its rank is the first of its key.
 */
export async function firstAlone<T>(
  ranks: Communicator,
  key: string,
  work: (first: boolean) => Promise<T>,
): Promise<T> {
  const first = (await gatherTexts(ranks, key)).indexOf(key) === ranks.rank;
  if (!first) await barrier(ranks);
  const done = await work(first);
  if (first) await barrier(ranks);
  return done;
}

/** Waits until all ranks have come to this place. */
export async function barrier(ranks: Communicator): Promise<void> {
  await anyOf(ranks, false);
}
