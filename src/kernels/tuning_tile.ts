/** Numbers of GPUs that the choices of tiles and chunks depend on. */
import type { Caps } from '../kernel/index.ts';

/** What choices must know of a GPU: a row an architecture, its numbers measured. */
export interface Tuning {
  readonly architecture: string;
  readonly product: {
    /** Workgroups of the tiled kernel that run at once. */
    readonly groups: number;
    /** Least k a split is worth: below, the partial outputs cost more than the idle multiprocessors. */
    readonly minSplitK: number;
    /** Rate of 64 qm x 64 qn tiles with every multiprocessor busy, relative to 128 x 128. */
    readonly tiles: readonly { readonly qm: 1 | 2; readonly qn: 1 | 2; readonly rate: number }[];
  };
  /** Workgroups of 64 rows of tiled attention that it wants; with fewer, 32 rows are faster. */
  readonly attention: { readonly groups: number };
  /** Sums down columns: workgroups that keep it busy, and the fewest rows for which one is worth starting. */
  readonly columns: { readonly groups: number; readonly leastRows: number };
  /** Sums of rows that an invocation walks by itself: invocations that keep it busy, and the fewest rows of one. */
  readonly walks: { readonly invocations: number; readonly leastRows: number };
}

/** Measured on an H100 of 132 multiprocessors, two workgroups each: products of 4096^3 at 37, 33, 33 and 32 TFLOP/s. */
const HOPPER: Tuning = {
  architecture: 'hopper',
  product: {
    groups: 264,
    minSplitK: 256,
    tiles: [
      { qm: 2, qn: 2, rate: 1 },
      { qm: 2, qn: 1, rate: 0.88 },
      { qm: 1, qn: 2, rate: 0.88 },
      { qm: 1, qn: 1, rate: 0.85 },
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
