/** The search behind `bench --tune`: measures ways to do some work on a device, and fits the numbers that choices depend on to them. */
import type { Caps, TunedNumbers } from '../src/kernel/index.ts';
import { type AttentionShape, chooseAttention } from '../src/kernels/attention.ts';
import { chooseMatmul, type MatmulShape } from '../src/kernels/matmul.ts';
import { chooseMatrixMatmul, hasMatrices } from '../src/kernels/matmul_matrix.ts';
import { type Axes, type BySplits, fitNumbers, meanLoss, timeAt } from './tune_fit.ts';

/** One way to do some work. */
export type Way =
  | {
      readonly kind: 'tiled';
      readonly qm: 1 | 2;
      readonly qn: 1 | 2;
      readonly shape: MatmulShape;
      readonly splits: number;
    }
  | {
      readonly kind: 'matrix';
      readonly tm: 2 | 4;
      readonly tn: 2 | 4;
      readonly shape: MatmulShape;
      readonly splits: number;
    }
  | { readonly kind: 'attention'; readonly rows: 32 | 64; readonly shape: AttentionShape };

/** Milliseconds of one way, adding up partial products included; undefined for one that the device does not run. */
export type Measure = (way: Way) => Promise<number | undefined>;

/** Products of networks, small ones to TiT-XL: forward, gradients by inputs and by weights. */
export const PRODUCTS: readonly MatmulShape[] = [
  { m: 256, n: 256, k: 256 },
  { m: 512, n: 1024, k: 256 },
  { m: 1568, n: 192, k: 192 },
  { m: 2048, n: 768, k: 768 },
  { m: 6272, n: 128, k: 512 },
  { m: 128, n: 512, k: 6272 },
  { m: 384, n: 384, k: 4096 },
  { m: 384, n: 1536, k: 8192 },
  { m: 8192, n: 1536, k: 384 },
  { m: 4096, n: 1152, k: 1152 },
  { m: 1152, n: 1152, k: 4096 },
];

const ATTENTION: readonly AttentionShape[] = [1, 2, 4, 8, 16, 32, 64].map((batch) => ({
  ...{ batch, heads: 4, n: 256, head_dim: 64 },
}));

const SPLITS = [1, 4, 16];
/** Shortest k of a part. */
const LEAST_CHUNK = 32;

const MULTIPROCESSORS = [
  4, 8, 10, 12, 16, 20, 24, 28, 32, 36, 40, 46, 48, 56, 60, 64, 68, 72, 80, 84, 96, 108, 114, 128, 132, 144, 170, 192,
];
const RATES = [0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1, 1.1, 1.2];
const AT_ONCE = [1, 2, 3, 4, 5, 6];
const PARTIAL = [0.05, 0.1, 0.2, 0.4, 0.6, 1, 2, 4];

/** The numbers of `count` tiles, the first of which is what the others are relative to. */
const tileAxes = (path: string, count: number): Axes =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      [`${path}.tiles.${i}.atOnce`, AT_ONCE] as const,
      ...(i > 0 ? [[`${path}.tiles.${i}.rate`, RATES] as const] : []),
    ]).flat(),
  );

const PRODUCT_AXES: Axes = {
  'product.multiprocessors': MULTIPROCESSORS,
  ...tileAxes('product', 4),
  'product.partial': PARTIAL,
  'product.secondPass': [1e5, 3e5, 6e5, 1.2e6, 2.4e6, 5e6],
  'product.start': [8, 16, 32, 64, 128],
  'product.minSplitK': [32, 64, 128, 256],
};

const MATRIX_AXES: Axes = {
  'matrix.f16.multiprocessors': MULTIPROCESSORS,
  ...tileAxes('matrix.f16', 4),
  'matrix.f16.partial': PARTIAL,
  'matrix.f16.minSplitK': [128, 256, 512, 1024],
};

const ATTENTION_AXES: Axes = { 'attention.groups': [16, 32, 64, 96, 128, 192, 264, 384, 528, 768, 1056] };

/** What was found for one kind of work. */
export interface Tuned {
  readonly of: string;
  readonly numbers: TunedNumbers;
  /** How far above the best way choices are on average, as a share: by the table, and by these numbers. */
  readonly before: number;
  readonly after: number;
  readonly measured: number;
}

/** Numbers as one line, for an issue or the table of `src/kernels/tuning_tile.ts`: path = value. */
export function numbersLine(numbers: TunedNumbers): string {
  const all = Object.entries(numbers).map(([path, value]) => `${path} = ${value}`);
  return all.length > 0 ? all.join(', ') : 'no number that is better than those of the table';
}

/** Ways by shape, with their times by parts of k. */
type Table = ReadonlyMap<object, ReadonlyMap<string, BySplits>>;

async function measureAll(
  ways: Iterable<readonly [key: string, splits: number, way: Way]>,
  measure: Measure,
): Promise<Table> {
  const table = new Map<object, Map<string, Map<number, number>>>();
  for (const [key, splits, way] of ways) {
    const ms = await measure(way);
    if (ms === undefined) continue;
    const byKey = table.get(way.shape) ?? new Map<string, Map<number, number>>();
    table.set(way.shape, byKey);
    byKey.set(key, (byKey.get(key) ?? new Map<number, number>()).set(splits, ms));
  }
  return table;
}

/** Fits numbers to a table: `choose` gives the key and the parts that the choice comes to for a shape. */
function fitTable(
  of: string,
  table: Table,
  axes: Axes,
  choose: (shape: never, numbers: TunedNumbers) => readonly [key: string, splits: number],
): Tuned {
  const shapes = [...table].map(([shape, ways]) => {
    const all = [...ways.values()].flatMap((times) => [...times.values()]);
    return { shape, ways, best: Math.min(...all), worst: Math.max(...all) };
  });
  const loss = (numbers: TunedNumbers) =>
    meanLoss(
      shapes.map(({ shape, ways, best, worst }) => {
        const [key, splits] = choose(shape as never, numbers);
        const times = ways.get(key);
        return [times ? timeAt(times, splits) : worst, best] as const;
      }),
    );
  const { numbers, cost } = fitNumbers(axes, loss);
  const measured = shapes.reduce(
    (sum, { ways }) => sum + [...ways.values()].reduce((n, times) => n + times.size, 0),
    0,
  );
  return { of, numbers, before: Math.expm1(loss({})), after: Math.expm1(cost), measured };
}

const partsOf = ({ k }: MatmulShape) => SPLITS.filter((splits) => splits === 1 || k / splits >= LEAST_CHUNK);

function* tiledWays(): Generator<readonly [string, number, Way]> {
  for (const shape of PRODUCTS)
    for (const qm of [1, 2] as const)
      for (const qn of [1, 2] as const)
        for (const splits of partsOf(shape)) yield [`${qm}x${qn}`, splits, { kind: 'tiled', qm, qn, shape, splits }];
}

function* matrixWays(): Generator<readonly [string, number, Way]> {
  for (const shape of PRODUCTS)
    for (const tm of [2, 4] as const)
      for (const tn of [2, 4] as const)
        for (const splits of partsOf(shape).filter((parts) => parts <= 8))
          yield [`${tm}x${tn}`, splits, { kind: 'matrix', tm, tn, shape, splits }];
}

function* attentionWays(): Generator<readonly [string, number, Way]> {
  for (const shape of ATTENTION)
    for (const rows of [32, 64] as const) yield [`${rows}`, 1, { kind: 'attention', rows, shape }];
}

/** Measures and fits; gives what it found for each kind of work. @param caps the device's, without numbers of its own. */
export async function* tune(caps: Caps, measure: Measure): AsyncGenerator<Tuned> {
  const withNumbers = (tuned: TunedNumbers): Caps => ({ ...caps, tuned });
  yield fitTable('products in f32', await measureAll(tiledWays(), measure), PRODUCT_AXES, (shape, numbers) => {
    const choice = chooseMatmul(shape, withNumbers(numbers));
    return [choice.kind === 'tiled' ? `${choice.qm}x${choice.qn}` : '', choice.splits];
  });
  if (hasMatrices(caps)) {
    const table = await measureAll(matrixWays(), measure);
    yield fitTable('products in f16', table, MATRIX_AXES, (shape, numbers) => {
      const choice = chooseMatrixMatmul(shape, 'f16', withNumbers(numbers));
      return [choice.kind === 'matrix' ? `${choice.tm}x${choice.tn}` : '', choice.splits];
    });
  }
  yield fitTable('attention', await measureAll(attentionWays(), measure), ATTENTION_AXES, (shape, numbers) => {
    const choice = chooseAttention(shape, withNumbers(numbers));
    return [choice.kind === 'tiled' ? `${choice.rows}` : '', 1];
  });
}
