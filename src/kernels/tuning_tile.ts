/** Numbers of GPUs that the choices of tiles and chunks depend on. */
import type { Caps } from '../kernel/index.ts';

/** What choices must know of a GPU: a row an architecture, its numbers measured. */
export interface Tuning {
  readonly architecture: string;
  readonly product: {
    readonly multiprocessors: number;
    /** Least k of a split. */
    readonly minSplitK: number;
    /** What a tile costs beside its k, in k: its first fetch and its epilogue. */
    readonly start: number;
    /** What it costs to write and add up a partial output, and the dispatch that does so, in multiply-adds of one multiprocessor. */
    readonly partial: number;
    readonly secondPass: number;
    /** Tiles of 32 qm x 32 qn: how many a multiprocessor needs at once to be busy, and its rate then, relative to 64 x 64. */
    readonly tiles: readonly {
      readonly qm: 1 | 2;
      readonly qn: 1 | 2;
      readonly atOnce: number;
      readonly rate: number;
    }[];
  };
  /** Workgroups of 64 rows of tiled attention that it wants; with fewer, 32 rows are faster. */
  readonly attention: { readonly groups: number };
  /** Sums down columns: workgroups that keep it busy, and the fewest rows for which one is worth starting. */
  readonly columns: { readonly groups: number; readonly leastRows: number };
  /** Sums of rows that an invocation walks by itself: invocations that keep it busy, and the fewest rows of one. */
  readonly walks: { readonly invocations: number; readonly leastRows: number };
}

/**
 * Measured on an H100. Of the product, what chooses best among 200 tilings and splits of 12 products of TiT with 128 to 192 columns
 * (1% on average above the best of each; npm run bench -- --suite kernels --filter '^matmul' has the larger ones).
 */
const HOPPER: Tuning = {
  architecture: 'hopper',
  product: {
    multiprocessors: 132,
    minSplitK: 64,
    start: 32,
    partial: 0.2,
    secondPass: 6e5,
    tiles: [
      { qm: 2, qn: 2, atOnce: 3, rate: 1 },
      { qm: 2, qn: 1, atOnce: 4, rate: 0.75 },
      { qm: 1, qn: 2, atOnce: 4, rate: 0.75 },
      { qm: 1, qn: 1, atOnce: 4, rate: 0.75 },
    ],
  },
  attention: { groups: 264 },
  columns: { groups: 512, leastRows: 64 },
  walks: { invocations: 2 ** 17, leastRows: 64 },
};

/** The first serves the architectures that have none. */
const TUNING: readonly Tuning[] = [HOPPER];

/** The row of a device. */
export const tuningOf = (caps: Caps): Tuning => TUNING.find((row) => row.architecture === caps.architecture) ?? HOPPER;
