import { type Caps, defineKernel, flag, group, type KnobValue, optional, PORTABLE } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { byColumns, type ColumnOptions, type ColumnTile, columnLanes, columnTile, columnTiles } from './column_tile.ts';
import { type RowTile, rowTile } from './row_tile.ts';
import { tuningOf } from './tuning_tile.ts';
import { elem, type Stored, stored } from './vec_tile.ts';

/** How columns are covered. */
export interface SumColsOptions extends ColumnOptions {
  /** With vec, columns are read eight at a time: cols is a multiple of 8. Default by the shape, for x of f16. */
  eights?: boolean;
  /** Add the sums to numbers that are there: buffer prior, as out. */
  prior?: boolean;
  /** How x is stored; default f32. Sums are f32. */
  dtype?: Stored;
  /** How out and prior are stored; default f32. */
  outDtype?: Stored;
}

/** Numbers of a row that a workgroup sums: columns of 128 bytes, which are a line of a cache. */
const groupCols = (cols: number, dtype: Stored) => (dtype === 'f16' && cols % 8 === 0 ? 64 : 32);

/** Rows of f16 that the 32 invocations of a column have in flight at once. */
const ROWS_AT_ONCE = 128;

/**
 * Rows a chunk for the first of two passes of a sum over the rows of [rows, cols], so that its workgroups keep a GPU busy, any
 * where no caps are given; rows itself, at least 1, where one pass is enough. Pure.
 */
export function chooseChunk(rows: number, cols: number, caps: Caps = PORTABLE, dtype: Stored = 'f32'): number {
  const { groups, leastRows } = tuningOf(caps).columns;
  const tiles = Math.ceil(cols / groupCols(cols, dtype));
  const chunks = Math.min(Math.ceil(rows / leastRows), Math.ceil(groups / Math.max(1, tiles)));
  if (chunks <= 1) return Math.max(1, rows);
  const each = Math.ceil(rows / chunks);
  if (dtype === 'f32') return each;
  return Math.min(rows, Math.max(1, Math.floor(each / ROWS_AT_ONCE)) * ROWS_AT_ONCE);
}

interface SumColsShape {
  rows?: number;
  cols: number;
}

const columns = byColumns<SumColsOptions | undefined>();

/** Elements of `width` numbers. */
const wide = (width: number, dtype: Stored = 'f32') =>
  width === 8 ? (dtype === 'f16' ? 'mat2x4h' : 'mat2x4f') : elem(width === 4, dtype);

/**
 * Sums down columns, by chunks of rows: `out[chunk, c] = sum of x[r, c]` over the chunk's rows. For bias gradients, split-k
 * partial products and second passes. Buffers of `dtype`: x [rows, cols], of `outDtype`: out [ceil(rows/chunk_rows), cols]; with `prior`, as out,
 * what is added to the sums. With a shape, the columns are read four at a time, or eight of f16, where they can be. See shaders/sum_cols.wgsl.
 */
export const sumCols = defineKernel({
  shader: shaders.sum_cols,
  choose: (o: SumColsOptions | undefined, shape: SumColsShape, caps: Caps): SumColsOptions => {
    const chosen = columns.choose(o, shape, caps);
    return { ...chosen, eights: o?.eights ?? (chosen?.vec === true && o?.dtype === 'f16' && shape.cols % 8 === 0) };
  },
  unshaped: columns.unshaped,
  options: group<SumColsOptions>(
    {
      tile: columnTile,
      vec: optional(flag),
      eights: optional(flag),
      prior: optional(flag),
      dtype: stored,
      outDtype: stored,
    },
    ({ eights, vec }) =>
      eights && vec === false ? { what: 'eights without vec', fix: 'give vec true, or leave eights out' } : undefined,
  ),
  knobs: (o: SumColsOptions | undefined, caps) => {
    const width = o?.vec ? (o.eights ? 8 : 4) : 1;
    return {
      LANES: columnLanes('sum_cols', o ?? {}, caps),
      WIDTH: width,
      HAS_PRIOR: o?.prior ?? false,
      Elem: wide(width, o?.dtype),
      OutElem: wide(width, o?.outDtype),
      Summed: wide(width),
    };
  },
  sizes: (d) => {
    const chunks = Math.ceil(d.rows / d.chunk_rows);
    return {
      x: d.rows * d.cols,
      out: chunks * d.cols,
      prior: chunks * d.cols,
    };
  },
  grid: (d, k) => Math.ceil(d.rows / d.chunk_rows) * columnTiles(d.cols, d.chunk_rows, k),
  check: (d, k) => {
    if (d.chunk_rows === 0)
      return { what: 'chunk_rows is 0', fix: 'use chooseChunk(rows, cols), or rows for one chunk' };
    if (d.cols % (k.WIDTH as number) === 0) return undefined;
    return {
      what: `cols is ${d.cols}, but rows are accessed ${k.WIDTH} numbers at a time`,
      fix: 'create the kernel without vec and eights, or for this shape',
    };
  },
});

/** A matrix whose columns `sumParts` sums. */
export interface Parts {
  /** Its first element in x, a multiple of 4. */
  readonly begin: number;
  /** Where its sums begin in out, a multiple of 4: they take whole fours, zeros after the last. */
  readonly place: number;
  readonly rows: number;
  readonly cols: number;
}

/** What `sumParts` reads of `matrices`, five numbers a workgroup: [tiles, 5]. @param knobs the kernel's. */
export function tilesOfParts(
  matrices: readonly Parts[],
  knobs: Readonly<Record<string, KnobValue>>,
): Uint32Array<ArrayBuffer> {
  const tiles = matrices.flatMap(({ begin, place, rows, cols }) => {
    const count = columnTiles(cols, rows, { ...knobs, WIDTH: 4 });
    return Array.from({ length: count }, (_, tile) => [begin, place, rows, cols, tile * columnsATile(rows, knobs)]);
  });
  return Uint32Array.from(tiles.flat());
}

/** Columns that a workgroup of `sumParts` sums. */
const columnsATile = (rows: number, { WG, LANES, LANES_FROM }: Readonly<Record<string, KnobValue>>) =>
  (4 * (WG as number)) / (rows < (LANES_FROM as number) ? 1 : (LANES as number));

/**
 * Sums down the columns of several matrices in one dispatch: the second pass of split products and of bias gradients, each into its own
 * place of one buffer. Buffers: f32 x [x_size], out [out_size]; u32 tiles [tiles, 5] by `tilesOfParts`. See shaders/sum_parts.wgsl.
 */
export const sumParts = defineKernel({
  shader: shaders.sum_parts,
  options: group<{ tile?: ColumnTile }>({ tile: columnTile }),
  knobs: (o: { tile?: ColumnTile } | undefined, caps) => ({
    LANES: columnLanes('sum_parts', { ...o, vec: true }, caps),
  }),
  sizes: (d) => ({ x: d.x_size, tiles: 5 * d.tiles, out: d.out_size }),
  grid: (d) => d.tiles,
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
