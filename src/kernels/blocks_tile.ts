/** How products, and convolutions as products, are cut into tiles of a workgroup and into parts of k. */
import type { Caps } from '../kernel/index.ts';
import { tuningOf } from './tuning_tile.ts';

/**
 * Most terms of one sum; longer ones are split where the caller can add up splits, and summed in runs where not: a longer chain loses
 * small terms (1e7 positive ones, some per cent).
 */
export const LONGEST_SUM = 8192;

/** Partial products to add up at most. */
export const MOST_SPLITS = 64;

/** A workgroup of 8 x 8 makes 32 qm x 32 qn outputs; k is cut into parts of kChunk, a multiple of 16 where there are several. */
export interface Blocks {
  qm: 1 | 2;
  qn: 1 | 2;
  splits: number;
  kChunk: number;
}

/** The blocks, and between `fewest` and `most` the parts of k, with which a GPU is done with `batch` products [m, k] x [k, n] first. Pure. */
export function cheapestBlocks(
  { m, n, k, batch = 1 }: { m: number; n: number; k: number; batch?: number },
  { fewest, most }: { fewest: number; most: number },
  caps: Caps,
): Blocks {
  const { multiprocessors, start, partial, secondPass, tiles: sizes } = tuningOf(caps).product;
  let best: Blocks | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const { qm, qn, atOnce, rate } of sizes) {
    const tiles = batch * Math.ceil(m / (32 * qm)) * Math.ceil(n / (32 * qn));
    for (let wanted = fewest; wanted <= most; wanted++) {
      const kChunk = wanted === 1 ? k : Math.ceil(k / wanted / 16) * 16;
      const splits = Math.ceil(k / kChunk);
      // Multiply-adds of the multiprocessor that does the most, in blocks of 32 x 32 outputs.
      const each = Math.max(atOnce, Math.ceil((tiles * splits) / multiprocessors));
      const sums = splits === 1 ? 0 : splits * batch * m * n * partial + secondPass;
      const cost = (each * qm * qn * 32 * 32 * (kChunk + start)) / rate + sums;
      if (cost < least) {
        least = cost;
        best = { qm, qn, splits, kChunk };
      }
    }
  }
  return best as Blocks;
}
