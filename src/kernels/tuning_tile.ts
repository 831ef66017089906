/** Numbers of GPUs that the choices of tiles and chunks depend on. */
import type { Caps, TunedNumbers } from '../kernel/index.ts';

/** What choices must know of a GPU: a row an architecture, its numbers measured. */
export interface Tuning {
  /** As the adapter tells them, lower case. */
  readonly vendor: string;
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
  /** The same of products on subgroup matrices: tiles of 32 tm x 32 tn. */
  readonly matrix: { readonly [precision in 'f16' | 'f32x3']: MatrixTuning };
  /** Of convolutions on subgroup matrices, beside what is as of products in f16. */
  readonly conv: {
    /** What the dispatch costs that adds up parts of k, in multiply-adds of one multiprocessor. */
    readonly secondPass: number;
    /** Tiles of those that read halves in whole steps of a tap. */
    readonly tiles: MatrixTuning['tiles'];
  };
  /** Workgroups of 64 rows of tiled attention that it wants; with fewer, 32 rows are faster. */
  readonly attention: { readonly groups: number };
  /** Sums down columns: workgroups that keep it busy, and the fewest rows for which one is worth starting. */
  readonly columns: { readonly groups: number; readonly leastRows: number };
  /** Sums of rows that an invocation walks by itself: invocations that keep it busy, and the fewest rows of one. */
  readonly walks: { readonly invocations: number; readonly leastRows: number };
}

export interface MatrixTuning {
  readonly multiprocessors: number;
  readonly minSplitK: number;
  readonly partial: number;
  readonly tiles: readonly {
    readonly tm: 2 | 4;
    readonly tn: 2 | 4;
    readonly atOnce: number;
    readonly rate: number;
  }[];
}

/**
 * Measured on an H100. Of the product, what chooses best among 200 tilings and splits of 12 products of TiT with 128 to 192 columns
 * (1% on average above the best of each; npm run bench -- --suite kernels --filter '^matmul' has the larger ones). Of the product on
 * subgroup matrices, 4096^3 at 246, 159, 187 and 149 TFLOP/s; what splits cost there is scaled from f32's. Of convolutions, the times of
 * bench/lab/conv.ts.
 */
const HOPPER: Tuning = {
  vendor: 'nvidia',
  architecture: 'hopper',
  product: {
    multiprocessors: 132,
    minSplitK: 64,
    start: 32,
    partial: 0.2,
    secondPass: 6e5,
    tiles: [
      { qm: 2, qn: 2, atOnce: 4, rate: 1 },
      { qm: 2, qn: 1, atOnce: 4, rate: 0.75 },
      { qm: 1, qn: 2, atOnce: 4, rate: 0.75 },
      { qm: 1, qn: 1, atOnce: 4, rate: 0.75 },
    ],
  },
  matrix: {
    f16: {
      multiprocessors: 132,
      minSplitK: 512,
      partial: 2,
      tiles: [
        { tm: 4, tn: 4, atOnce: 3, rate: 1 },
        { tm: 4, tn: 2, atOnce: 3, rate: 0.65 },
        { tm: 2, tn: 4, atOnce: 4, rate: 0.75 },
        { tm: 2, tn: 2, atOnce: 5, rate: 0.6 },
      ],
    },
    f32x3: {
      multiprocessors: 132,
      minSplitK: 512,
      partial: 0.6,
      tiles: [{ tm: 2, tn: 2, atOnce: 2, rate: 1 }],
    },
  },
  conv: {
    secondPass: 5e6,
    tiles: [
      { tm: 4, tn: 4, atOnce: 1.35, rate: 1 },
      { tm: 4, tn: 2, atOnce: 1.7, rate: 0.7 },
      { tm: 2, tn: 4, atOnce: 1.7, rate: 0.79 },
      { tm: 2, tn: 2, atOnce: 2.1, rate: 0.64 },
    ],
  },
  attention: { groups: 264 },
  columns: { groups: 512, leastRows: 64 },
  walks: { invocations: 2 ** 17, leastRows: 64 },
};

/** The first serves the architectures that have none. */
const TUNING: readonly Tuning[] = [HOPPER];

/** The row of a vendor's architecture. */
const rowOf = ({ vendor, architecture }: Caps): Tuning =>
  TUNING.find((row) => row.vendor === vendor && row.architecture === architecture) ?? HOPPER;

const tunings = new WeakMap<TunedNumbers, Tuning>();

/** What is known of a device: what was measured on it, else the row of its architecture. */
export function tuningOf(caps: Caps): Tuning {
  const { tuned } = caps;
  if (!tuned) return rowOf(caps);
  let tuning = tunings.get(tuned);
  if (!tuning) tunings.set(tuned, (tuning = withNumbers(rowOf(caps), tuned)));
  return tuning;
}

/** A row with some of its numbers replaced; paths that it does not have, and what is no positive number, change nothing. */
export function withNumbers(row: Tuning, numbers: TunedNumbers): Tuning {
  const changed = structuredClone(row) as unknown as { [key: string]: unknown };
  for (const [path, value] of Object.entries(numbers)) {
    const keys = path.split('.');
    const last = keys.pop() as string;
    let at: unknown = changed;
    for (const key of keys) at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
    if (isObject(at) && Object.hasOwn(at, last) && typeof at[last] === 'number' && value > 0) at[last] = value;
  }
  return changed as unknown as Tuning;
}

const isObject = (value: unknown): value is { [key: string]: unknown } => typeof value === 'object' && value !== null;
