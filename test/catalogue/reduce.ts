import { chooseChunk, type SumColsOptions, type SumRowsOptions, sumCols, sumRows } from '../../src/kernels/reduce.ts';
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
  tailCols = 0,
  hasPrior = false,
  [dtype, outDtype]: readonly [Stored, Stored] = ['f32', 'f32'],
  { eights, tailRows = rows }: { eights?: boolean; tailRows?: number } = {},
): KernelCase {
  const chunks = Math.ceil(rows / chunkRows);
  return {
    kernel: 'sumCols',
    name: [
      `${rows}x${cols} in ${chunks}`,
      tile && `${tile.lanes} lanes`,
      eights ? 'by eights' : vec && 'by vec4',
      tailCols > 0 && `and ${tailRows === rows ? '' : `${tailRows}x`}${tailCols}`,
      hasPrior && 'added',
      suffixOf(dtype, outDtype).trim(),
    ]
      .filter(Boolean)
      .join(' '),
    variant: [
      tile ? `${tile.lanes} lanes` : 'default',
      ...(tailCols > 0 ? ['tail'] : []),
      ...(hasPrior ? ['prior'] : []),
      ...(dtype === 'f16' || outDtype === 'f16' ? [`${dtype} to ${outDtype}`] : []),
    ].join(' and '),
    shape: [rows, cols],
    tolerance: 3e-6,
    toleranceFrom: 'f32 rounding of a sum of chunk_rows terms in order, ~ eps sqrt(chunk_rows)',
    flops: rows * cols,
    bytes:
      (dtype === 'f16' ? 2 : 4) * (rows * cols + tailRows * tailCols) +
      (outDtype === 'f16' ? 2 : 4) * (chunks * cols + tailCols) +
      (hasPrior ? (outDtype === 'f16' ? 2 : 4) * chunks * cols : 0),
    ...needsOf(dtype, outDtype),
    forced: tile !== undefined || vec !== undefined,
    ...extra,
    prepare: (device) => {
      const x = storedAs(dtype, values(rows * cols));
      const tail = storedAs(
        dtype,
        Float32Array.from(randn(tailRows * tailCols, 2), (v) => v - 0.5),
      );
      const has = tailCols > 0;
      const prior = storedAs(outDtype, Float32Array.from(randn(chunks * cols, 3)));
      return prepared(
        sumCols.prepare(device, { tile, vec, ...(eights && { eights }), tail: has, prior: hasPrior, dtype, outDtype }),
        { rows, cols, chunk_rows: chunkRows, ...(has && { tail_cols: tailCols, tail_rows: tailRows }) },
        {
          inputs: { x, ...(has && { tail }), ...(hasPrior && { prior }) },
          outputs: { out: chunks * cols, ...(has && { tail_out: tailCols }) },
          halves: [
            ...(dtype === 'f16' ? ['x', 'tail'] : []),
            ...(outDtype === 'f16' ? ['out', 'tail_out', 'prior'] : []),
          ],
          oracle: () => ({
            out: columnSums(x, rows, cols, chunkRows).map((sum, i) => sum + (hasPrior ? (prior[i] as number) : 0)),
            ...(has && { tail_out: columnSums(tail, tailRows, tailCols, tailRows) }),
          }),
        },
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
  colsCase(7, 1031, 3, undefined, {}, undefined, 41),
  colsCase(257, 41, 100, { lanes: 8 }, {}, undefined, 257),
  colsCase(7, 1028, 7, { lanes: 32 }, {}, true, 12),
  colsCase(257, 260, 100, { lanes: 32 }, {}, true, 1028),
  colsCase(7, 41, 3, undefined, {}, undefined, 0, true),
  colsCase(12, 1028, 12, { lanes: 32 }, {}, true, 12, true),
  colsCase(257, 41, 100, undefined, {}, undefined, 0, false, ['f16', 'f32']),
  colsCase(257, 260, 100, { lanes: 32 }, {}, true, 1028, false, ['f16', 'f32']),
  colsCase(5, 1028, 5, undefined, {}, true, 0, true, ['f32', 'f16']),
  colsCase(7, 41, 3, undefined, {}, undefined, 5, false, ['f16', 'f16']),
  ...[
    { rows: 257, cols: 264, chunk: 100, lanes: 32, tail: { cols: 0, rows: 1 }, prior: false, out: 'f32' as const },
    { rows: 7, cols: 1032, chunk: 3, lanes: 8, tail: { cols: 0, rows: 1 }, prior: true, out: 'f16' as const },
    { rows: 300, cols: 8, chunk: 300, lanes: 32, tail: { cols: 136, rows: 401 }, prior: false, out: 'f32' as const },
    { rows: 90, cols: 72, chunk: 40, lanes: 1, tail: { cols: 8, rows: 3 }, prior: true, out: 'f32' as const },
  ].map(({ rows, cols, chunk, lanes, tail, prior, out }) =>
    colsCase(rows, cols, chunk, { lanes }, {}, true, tail.cols, prior, ['f16', out], {
      eights: true,
      tailRows: tail.rows,
    }),
  ),
  colsCase(16, 1028, 16, undefined, {}, undefined, 41, true, undefined, { tailRows: 65 }),
  colsCase(16, 1028, 16, { lanes: 32 }, {}, true, 44, false, undefined, { tailRows: 130 }),
  colsCase(1000, 384, chooseChunk(1000, 384, undefined, 'f16'), undefined, {}, undefined, 0, false, ['f16', 'f32']),
  rowsCase(3, 41, false, undefined, { smoke: true }),
  rowsCase(41, 257, true, { lanes: 64, rows: 4 }),
  rowsCase(1, 1153, false, { lanes: 256, rows: 1 }),
  rowsCase(113, 1, true, { lanes: 8, rows: 3 }),
  rowsCase(65539, 3, false, { lanes: 1, rows: 1 }),
  colsCase(16384, 1152, chooseChunk(16384, 1152), undefined, BENCH),
  colsCase(16384, 16, chooseChunk(16384, 16), undefined, BENCH),
  colsCase(16384, 1152, chooseChunk(16384, 1152, undefined, 'f16'), undefined, BENCH, undefined, 0, false, [
    'f16',
    'f32',
  ]),
  ...[384, 1152, 1536, 2048].map((cols) =>
    colsCase(8192, cols, chooseChunk(8192, cols, undefined, 'f16'), undefined, BENCH, undefined, 0, false, [
      'f16',
      'f32',
    ]),
  ),
  colsCase(256, 16, 256, undefined, BENCH),
  colsCase(8, 1152 * 1152, 8, undefined, BENCH),
  colsCase(96, 384 * 384, 96, undefined, BENCH),
  rowsCase(16384, 1152, true, undefined, BENCH),
];
