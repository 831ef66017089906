import {
  chooseChunk,
  type SumColsOptions,
  type SumRowsOptions,
  sumCols,
  sumParts,
  sumRows,
  tilesOfParts,
} from '../../src/kernels/reduce.ts';
import { columnSums, randn, rowSums } from '../reference/index.ts';
import { type KernelCase, needsOf, prepared, type Stored, storedAs, suffixOf } from './case.ts';

const values = (count: number) => Float32Array.from(randn(count, 1), (v) => v + 0.5);

function colsCase(
  rows: number,
  cols: number,
  chunkRows: number,
  tile?: SumColsOptions['tile'],
  extra: Partial<KernelCase> = {},
  vec?: boolean,
  hasPrior = false,
  [dtype, outDtype]: readonly [Stored, Stored] = ['f32', 'f32'],
  eights = false,
): KernelCase {
  const chunks = Math.ceil(rows / chunkRows);
  return {
    kernel: 'sumCols',
    name: [
      `${rows}x${cols} in ${chunks}`,
      tile && `${tile.lanes} lanes`,
      eights ? 'by eights' : vec && 'by vec4',
      hasPrior && 'added',
      suffixOf(dtype, outDtype).trim(),
    ]
      .filter(Boolean)
      .join(' '),
    variant: [
      tile ? `${tile.lanes} lanes` : 'default',
      ...(hasPrior ? ['prior'] : []),
      ...(dtype === 'f16' || outDtype === 'f16' ? [`${dtype} to ${outDtype}`] : []),
    ].join(' and '),
    shape: [rows, cols],
    tolerance: 3e-6,
    toleranceFrom: 'f32 rounding of a sum of chunk_rows terms in order, ~ eps sqrt(chunk_rows)',
    flops: rows * cols,
    bytes: (dtype === 'f16' ? 2 : 4) * rows * cols + (outDtype === 'f16' ? 2 : 4) * (hasPrior ? 2 : 1) * chunks * cols,
    ...needsOf(dtype, outDtype),
    forced: tile !== undefined || vec !== undefined,
    ...extra,
    prepare: (device) => {
      const x = storedAs(dtype, values(rows * cols));
      const prior = storedAs(outDtype, Float32Array.from(randn(chunks * cols, 3)));
      return prepared(
        sumCols.prepare(device, { tile, vec, ...(eights && { eights }), prior: hasPrior, dtype, outDtype }),
        { rows, cols, chunk_rows: chunkRows },
        {
          inputs: { x, ...(hasPrior && { prior }) },
          outputs: { out: chunks * cols },
          halves: [...(dtype === 'f16' ? ['x'] : []), ...(outDtype === 'f16' ? ['out', 'prior'] : [])],
          oracle: () => ({
            out: columnSums(x, rows, cols, chunkRows).map((sum, i) => sum + (hasPrior ? (prior[i] as number) : 0)),
          }),
        },
      );
    },
  };
}

/** Matrices of [rows, cols] one after the other, each at the next multiple of 64 elements, and their sums likewise. */
function partsCase(
  matrices: readonly (readonly [rows: number, cols: number])[],
  tile?: SumColsOptions['tile'],
  extra: Partial<KernelCase> = {},
): KernelCase {
  const next = (elements: number) => Math.ceil(elements / 64) * 64;
  let [xSize, outSize] = [0, 0];
  const parts = matrices.map(([rows, cols]) => {
    const matrix = { begin: xSize, place: outSize, rows, cols };
    xSize += next(rows * cols);
    outSize += next(cols);
    return matrix;
  });
  const last = parts.at(-1) as (typeof parts)[number];
  xSize = last.begin + last.rows * last.cols;
  outSize = last.place + Math.ceil(last.cols / 4) * 4;
  const numbers = parts.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
  return {
    kernel: 'sumParts',
    name: `${matrices.map((shape) => shape.join('x')).join(', ')}${tile ? ` ${tile.lanes} lanes` : ''}`,
    variant: tile ? `${tile.lanes} lanes` : 'default',
    shape: [xSize],
    tolerance: 3e-6,
    toleranceFrom: 'f32 rounding of a sum of rows terms in order, ~ eps sqrt(rows)',
    flops: numbers,
    bytes: 4 * (numbers + outSize),
    forced: tile !== undefined,
    ...extra,
    prepare: (device) => {
      const x = values(xSize);
      const kernel = sumParts.prepare(device, { tile });
      const tiles = tilesOfParts(parts, kernel.knobs);
      // Zeros between the places: only whole vectors of a matrix are written.
      const out = new Float32Array(outSize);
      const oracle = () => {
        const sums = new Float64Array(outSize);
        for (const { begin, place, rows, cols } of parts)
          sums.set(columnSums(x.subarray(begin, begin + rows * cols), rows, cols, rows), place);
        return { out: sums };
      };
      return prepared(
        kernel,
        { tiles: tiles.length / 5, x_size: xSize, out_size: outSize },
        { inputs: { x, tiles, out }, outputs: { out: outSize }, oracle },
      );
    },
  };
}

function rowsCase(
  rows: number,
  cols: number,
  mean: boolean,
  tile?: SumRowsOptions['tile'],
  extra: Partial<KernelCase> = {},
): KernelCase {
  return {
    kernel: 'sumRows',
    name: `${mean ? 'mean ' : ''}${rows}x${cols}${tile ? ` ${tile.lanes} lanes` : ''}`,
    variant: mean ? 'mean' : 'sum',
    shape: [rows, cols],
    tolerance: 3e-6,
    toleranceFrom: 'f32 rounding of a sum of cols terms in order, ~ eps sqrt(cols)',
    flops: rows * cols,
    bytes: 4 * rows * (cols + 1),
    forced: tile !== undefined,
    ...extra,
    prepare: (device) => {
      const x = values(rows * cols);
      return prepared(
        sumRows.prepare(device, { mean, tile }),
        { rows, cols },
        {
          inputs: { x },
          outputs: { out: rows },
          oracle: () => ({ out: rowSums(x, rows, cols).map((v) => (mean ? v / cols : v)) }),
        },
      );
    },
  };
}

const BENCH = { benchOnly: true };

export const reduceCases: KernelCase[] = [
  colsCase(3, 41, 3, undefined, { smoke: true }),
  colsCase(257, 113, 257, { lanes: 8 }),
  colsCase(257, 41, 100),
  colsCase(257, 257, 100, { lanes: 32 }),
  colsCase(300, 1, 70, { lanes: 256 }),
  colsCase(113, 41, 1),
  colsCase(65539, 3, 65539, { lanes: 8 }),
  colsCase(65539, 3, 1),
  colsCase(65539, 3, chooseChunk(65539, 3)),
  colsCase(257, 260, 257),
  colsCase(5, 1028, 5),
  colsCase(257, 260, 257, { lanes: 32 }, {}, true),
  colsCase(257, 1028, 100, { lanes: 8 }, {}, true),
  colsCase(7, 1028, 3, { lanes: 32 }, {}, true), // fewer rows a chunk than lanes share
  colsCase(300, 4, 70, { lanes: 1 }, {}, true),
  colsCase(7, 41, 3, undefined, {}, undefined, true),
  colsCase(12, 1028, 12, { lanes: 32 }, {}, true, true),
  colsCase(257, 41, 100, undefined, {}, undefined, false, ['f16', 'f32']),
  colsCase(257, 260, 100, { lanes: 32 }, {}, true, false, ['f16', 'f32']),
  colsCase(5, 1028, 5, undefined, {}, true, true, ['f32', 'f16']),
  colsCase(7, 41, 3, undefined, {}, undefined, false, ['f16', 'f16']),
  ...[
    { rows: 257, cols: 264, chunk: 100, lanes: 32, prior: false, out: 'f32' as const },
    { rows: 7, cols: 1032, chunk: 3, lanes: 8, prior: true, out: 'f16' as const },
    { rows: 90, cols: 72, chunk: 40, lanes: 1, prior: true, out: 'f32' as const },
  ].map(({ rows, cols, chunk, lanes, prior, out }) =>
    colsCase(rows, cols, chunk, { lanes }, {}, true, prior, ['f16', out], true),
  ),
  colsCase(1000, 384, chooseChunk(1000, 384, undefined, 'f16'), undefined, {}, undefined, false, ['f16', 'f32']),
  ...[undefined, { lanes: 1 }, { lanes: 32 }].flatMap((tile) => [
    partsCase([[5, 3]], tile, { smoke: tile === undefined }),
    partsCase(
      [
        [3, 1028],
        [65, 41],
        [2, 4],
        [64, 260],
        [1, 2053],
        [301, 7],
      ],
      tile,
    ),
  ]),
  rowsCase(3, 41, false, undefined, { smoke: true }),
  rowsCase(41, 257, true, { lanes: 64, rows: 4 }),
  rowsCase(1, 1153, false, { lanes: 256, rows: 1 }),
  rowsCase(113, 1, true, { lanes: 8, rows: 3 }),
  rowsCase(65539, 3, false, { lanes: 1, rows: 1 }),
  colsCase(16384, 1152, chooseChunk(16384, 1152), undefined, BENCH),
  colsCase(16384, 16, chooseChunk(16384, 16), undefined, BENCH),
  colsCase(16384, 1152, chooseChunk(16384, 1152, undefined, 'f16'), undefined, BENCH, undefined, false, ['f16', 'f32']),
  ...[384, 1152, 1536, 2048].map((cols) =>
    colsCase(8192, cols, chooseChunk(8192, cols, undefined, 'f16'), undefined, BENCH, undefined, false, ['f16', 'f32']),
  ),
  partsCase(
    [
      [24, 682 * 128],
      [12, 128 * 341],
      [33, 128 * 128],
      [44, 384 * 128],
      [44, 384],
    ],
    undefined,
    BENCH,
  ),
  colsCase(256, 16, 256, undefined, BENCH),
  colsCase(8, 1152 * 1152, 8, undefined, BENCH),
  colsCase(96, 384 * 384, 96, undefined, BENCH),
  rowsCase(16384, 1152, true, undefined, BENCH),
];
