import { type Shard, wholeBatch, wrongShard } from '../rng/shard.ts';
import { DataError } from './dataset.ts';

/** Feistel rounds: enough that neighbouring positions land independently even when a half has one bit. */
const ROUNDS = 8;

/** Scrambles a u32 so that each input bit reaches every output bit: multiply and fold, twice. */
function scramble(value: number): number {
  let x = value >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** One key per round, from all 53 bits of the seed and of the epoch. */
function roundKeys(seed: number, epoch: number): Uint32Array {
  let key = 0x9e3779b9;
  for (const word of [seed, seed / 2 ** 32, epoch, epoch / 2 ** 32])
    key = scramble(key ^ Math.floor(word)) + 0x9e3779b9;
  return Uint32Array.from({ length: ROUNDS }, (_, round) => scramble(key + Math.imul(round + 1, 0x85ebca6b)));
}

function checkWhole(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new DataError(`${name} is ${value}`, `give a whole number of at least ${least} and below 2^53`);
  }
}

function checkSize(size: number): void {
  checkWhole('dataset size', size, 1);
  if (size > 2 ** 32)
    throw new DataError(`dataset size is ${size}`, 'give at most 2^32 items: the order is u32 arithmetic');
}

/**
 * The permutation of 0..size-1 of one epoch. A Feistel network is a bijection of the smallest power of two that holds `size`;
 * walking on while the value lies outside keeps it a bijection of 0..size-1, without a table and in about two walks at most.
 */
function epochOrder(seed: number, size: number, epoch: number): (position: number) => number {
  if (size === 1) return () => 0;
  const bits = Math.max(2, 32 - Math.clz32(size - 1));
  const lowBits = bits >> 1;
  const lowMask = (1 << lowBits) - 1;
  const highMask = (1 << (bits - lowBits)) - 1;
  const keys = roundKeys(seed, epoch);
  return (position) => {
    let value = position;
    do {
      let low = value & lowMask;
      let high = value >>> lowBits;
      for (let round = 0; round < ROUNDS; round += 2) {
        high ^= scramble(low ^ keys[round]!) & highMask;
        low ^= scramble(high ^ keys[round + 1]!) & lowMask;
      }
      value = ((high << lowBits) | low) >>> 0;
    } while (value >= size);
    return value;
  };
}

/**
 * The item at `position` of an endless sequence over a dataset of `size` items: each run of `size` positions (an epoch) visits
 * every item once, in an order that depends on the seed and the epoch alone. No state, so any position can be asked for.
 * Throws DataError on a size outside 1..2^32 and on a seed or position that is negative or no safe integer.
 */
export function datasetIndex(seed: number, size: number, position: number): number {
  checkSize(size);
  checkWhole('seed', seed, 0);
  checkWhole('position', position, 0);
  return epochOrder(seed, size, Math.floor(position / size))(position % size);
}

/**
 * The position in the sequence of the first item of step `step` (from 0): the whole batches of the steps before it, and the samples of
 * its own that come before the part of `batch` samples. Throws DataError for a part that its batch does not hold.
 */
export function firstPosition(step: number, batch: number, shard: Shard = wholeBatch(batch)): number {
  checkWhole('step', step, 0);
  checkWhole('batch', batch, 1);
  const wrong = wrongShard(shard, batch);
  if (wrong) throw new DataError(wrong.what, wrong.fix);
  const first = step * shard.of + shard.first;
  checkWhole('position', first + batch - 1, 0);
  return first;
}

/**
 * The items of training step `step` (from 0): of a whole batch positions step * batch .. step * batch + batch - 1 of the sequence, of a
 * part (`shard`) its `batch` ones of the whole batch's. A pure function of its arguments, so a resumed run sees the batches that
 * an uninterrupted one would, and several devices together see those of one. A batch may span epochs.
 * Returns [batch]; errors as datasetIndex.
 */
export function batchIndices(seed: number, size: number, step: number, batch: number, shard?: Shard): Uint32Array {
  checkSize(size);
  checkWhole('seed', seed, 0);
  const first = firstPosition(step, batch, shard);
  const indices = new Uint32Array(batch);
  let epoch = -1;
  let order: (position: number) => number = () => 0;
  for (let i = 0; i < batch; i++) {
    const position = first + i;
    if (Math.floor(position / size) !== epoch) {
      epoch = Math.floor(position / size);
      order = epochOrder(seed, size, epoch);
    }
    indices[i] = order(position % size);
  }
  return indices;
}
