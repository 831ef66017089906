import { type Caps, defineKernel, flag, group, optional, PORTABLE } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { byColumns, type ColumnOptions, columnLanes, columnTile, columnTiles } from './column_tile.ts';
import { type RowTile, rowTile } from './row_tile.ts';
import { tuningOf } from './tuning_tile.ts';
import { checkFours, elem, type Stored, stored } from './vec_tile.ts';

/** How columns are covered. */
export interface SumColsOptions extends ColumnOptions {
  /** Also sum the columns of a second tensor of as many rows: buffers tail and tail_out, dim tail_cols. */
  tail?: boolean;
  /** Add the sums to numbers that are there: buffer prior, as out. */
  prior?: boolean;
  /** How x and tail are stored; default f32. Sums are f32. */
  dtype?: Stored;
  /** How out and tail_out are stored; default f32. */
  outDtype?: Stored;
}

/** Columns that a workgroup sums: 256 invocations, 8 a column. */
const GROUP_COLS = 32;

/**
 * Rows a chunk for the first of two passes of a sum over the rows of [rows, cols], so that its workgroups keep a GPU busy, any
 * where no caps are given; rows itself, at least 1, where one pass is enough. Pure.
 */
export function chooseChunk(rows: number, cols: number, caps: Caps = PORTABLE): number {
  const { groups, leastRows } = tuningOf(caps).columns;
  const tiles = Math.ceil(cols / GROUP_COLS);
  const chunks = Math.min(Math.ceil(rows / leastRows), Math.ceil(groups / Math.max(1, tiles)));
  return Math.max(1, chunks <= 1 ? rows : Math.ceil(rows / chunks));
}

/**
 * Sums down columns, by chunks of rows: `out[chunk, c] = sum of x[r, c]` over the chunk's rows. For bias gradients, split-k
 * partial products and second passes. Buffers of `dtype`: x [rows, cols], of `outDtype`: out [ceil(rows/chunk_rows), cols]; with `tail` also tail
 * [rows, tail_cols] and tail_out, with `prior`, as out, what is added to the sums of x. With a shape, the columns of both are read as vec4f where they can be. See shaders/sum_cols.wgsl.
 */
export const sumCols = defineKernel({
  shader: shaders.sum_cols,
  ...byColumns<SumColsOptions | undefined, { tail_cols?: number }>((d) => (d.tail_cols ?? 0) % 4 === 0),
  options: group<SumColsOptions>({
    tile: columnTile,
    vec: optional(flag),
    tail: optional(flag),
    prior: optional(flag),
    dtype: stored,
    outDtype: stored,
  }),
  knobs: (o: SumColsOptions | undefined, caps) => ({
    LANES: columnLanes('sum_cols', o ?? {}, caps),
    VEC: o?.vec ?? false,
    HAS_TAIL: o?.tail ?? false,
    HAS_PRIOR: o?.prior ?? false,
    Elem: elem(o?.vec ?? false, o?.dtype),
    OutElem: elem(o?.vec ?? false, o?.outDtype),
    Summed: o?.vec ? 'vec4f' : 'f32',
  }),
  sizes: (d) => {
    const chunks = Math.ceil(d.rows / d.chunk_rows);
    return {
      x: d.rows * d.cols,
      out: chunks * d.cols,
      prior: chunks * d.cols,
      tail: d.rows * d.tail_cols,
      tail_out: chunks * d.tail_cols,
    };
  },
  grid: (d, k) =>
    Math.ceil(d.rows / d.chunk_rows) *
    (columnTiles(d.cols, d.chunk_rows, k) + columnTiles(d.tail_cols, d.chunk_rows, k)),
  check: (d, k) =>
    d.chunk_rows === 0
      ? { what: 'chunk_rows is 0', fix: 'use chooseChunk(rows, cols), or rows for one chunk' }
      : (checkFours('cols', d.cols, k) ?? checkFours('tail_cols', d.tail_cols, k)),
});

/** Sums or means, and how a row is covered. */
export interface SumRowsOptions {
  /** Divide by cols. */
  mean?: boolean;
  tile?: RowTile;
}

/** Sums, or means, along rows. Buffers f32: x [rows, cols], out [rows]. See shaders/sum_rows.wgsl. */
export const sumRows = defineKernel({
  shader: shaders.sum_rows,
  options: group<SumRowsOptions>({
    mean: optional(flag),
    tile: rowTile,
  }),
  knobs: (o: SumRowsOptions | undefined, caps) => ({
    MEAN: o?.mean ?? false,
    LANES: o?.tile?.lanes ?? (caps.software ? 1 : undefined),
    ROWS: o?.tile?.rows,
  }),
  sizes: (d) => ({ x: d.rows * d.cols, out: d.rows }),
  grid: (d, k) => Math.ceil(d.rows / (k.ROWS as number)),
  check: (d, k) =>
    k.MEAN && d.cols === 0 ? { what: 'the mean of no columns', fix: 'give rows of at least one column' } : undefined,
});
