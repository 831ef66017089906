import {
  add,
  addRows,
  type GateGradientOptions,
  gatedResidual,
  gatedResidualBackwardGate,
  gatedResidualBackwardH,
} from '../../src/kernels/residual.ts';
import { addColumns, gatedSum, gatedSumGradients, randn, takeColumns } from '../reference/index.ts';
import { type KernelCase, needsOf, prepared, type Stored, storedAs, suffixOf } from './case.ts';

const ROUNDING = { tolerance: 1e-6, toleranceFrom: 'f32 rounding of a product and a sum, 8 ulp' };

type Which = 'gatedResidual' | 'gatedResidualBackwardH' | 'gatedResidualBackwardGate';
const WORDS = { gatedResidual: 3, gatedResidualBackwardH: 2, gatedResidualBackwardGate: 2 };

function gatedCase(
  kernel: Which,
  rows: number,
  cols: number,
  modRows: number,
  tile?: GateGradientOptions['tile'],
  extra: Partial<KernelCase> = {},
  vec?: boolean,
  aligned = extra.benchOnly ?? false,
  dh = false,
  dtype: Stored = 'f32',
): KernelCase {
  const modCount = Math.ceil(rows / modRows);
  // The gate is a slice of something wider: at an odd stride or, aligned, one as even as cols, as a network's is.
  const [modStride, offset] = aligned ? [2 * cols, cols] : [2 * cols + 3, cols + 1];
  const dims = { rows, cols, mod_rows: modRows, mod_stride: modStride, gate_offset: offset };
  return {
    kernel,
    name: `${rows}x${cols}/${modRows}${tile ? ` ${tile.lanes} lanes` : ''}${vec ? ' by vec4' : ''}${aligned ? ' aligned' : ''}${dh ? ' with dh' : ''}${suffixOf(dtype)}`,
    variant: `${dh ? 'gated with dh' : 'gated'}${suffixOf(dtype)}`,
    shape: [rows, cols],
    ...ROUNDING,
    ...(kernel === 'gatedResidualBackwardGate' && {
      tolerance: 2e-6,
      toleranceFrom: 'f32 rounding of a sum of mod_rows products, 16 ulp',
    }),
    flops: rows * cols * 2,
    bytes:
      rows * cols * (dtype === 'f16' ? 2 : 4) * (WORDS[kernel] + (dh ? 1 : 0)) +
      modCount * cols * (kernel === 'gatedResidualBackwardGate' ? 8 : 4),
    forced: tile !== undefined || vec !== undefined,
    ...needsOf(dtype),
    ...extra,
    prepare: (device) => {
      const count = rows * cols;
      const [x, h, dy] = [1, 2, 3].map((seed) => storedAs(dtype, Float32Array.from(randn(count, seed)))) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      const modulation = Float32Array.from(randn(modCount * modStride, 4));
      const halves = dtype === 'f16' ? ['x', 'h', 'y', 'dy', 'dh'] : [];
      const shape = { rows, cols, modRows, h, dy, gate: takeColumns(modulation, modCount, modStride, offset, cols) };
      const options = { dtype, ...(vec && { vec, vecModulation: aligned }) };
      if (kernel === 'gatedResidual') {
        return prepared(gatedResidual.prepare(device, options), dims, {
          inputs: { x, h, modulation },
          outputs: { y: count },
          halves,
          oracle: () => ({ y: gatedSum({ ...shape, x }) }),
        });
      }
      if (kernel === 'gatedResidualBackwardH') {
        return prepared(gatedResidualBackwardH.prepare(device, options), dims, {
          inputs: { dy, modulation },
          outputs: { dh: count },
          halves,
          oracle: () => ({ dh: gatedSumGradients(shape).dh }),
        });
      }
      return prepared(gatedResidualBackwardGate.prepare(device, { tile, vec, dh, dtype }), dims, {
        inputs: { dy, h, dmodulation: modulation, ...(dh && { modulation }) }, // what other kernels have added
        outputs: { dmodulation: modulation.length, ...(dh && { dh: count }) },
        halves,
        oracle: () => ({
          dmodulation: addColumns(modulation, gatedSumGradients(shape).dgate, modCount, modStride, offset),
          ...(dh && { dh: gatedSumGradients(shape).dh }),
        }),
      });
    },
  };
}

function addCase(count: number, extra: Partial<KernelCase> = {}, dtype: Stored = 'f32'): KernelCase {
  return {
    kernel: 'add',
    name: `${count}${suffixOf(dtype)}`,
    variant: `add${suffixOf(dtype)}`,
    shape: [count],
    ...ROUNDING,
    flops: count,
    bytes: count * (dtype === 'f16' ? 6 : 12),
    ...needsOf(dtype),
    ...extra,
    prepare: (device) => {
      const [a, b] = [1, 2].map((seed) => storedAs(dtype, Float32Array.from(randn(count, seed)))) as [
        Float32Array,
        Float32Array,
      ];
      return prepared(
        add.prepare(device, { dtype }),
        { count },
        {
          inputs: { a, b },
          outputs: { out: count },
          halves: dtype === 'f16' ? ['a', 'b', 'out'] : [],
          oracle: () => ({ out: Float64Array.from(a, (v, i) => v + (b[i] as number)) }),
        },
      );
    },
  };
}

function addRowsCase(
  rows: number,
  cols: number,
  groupRows: number,
  extra: Partial<KernelCase> = {},
  dtype: Stored = 'f32',
): KernelCase {
  return {
    kernel: 'addRows',
    name: `${rows}x${cols}/${groupRows}${suffixOf(dtype)}`,
    variant: `add${suffixOf(dtype)}`,
    shape: [rows, cols],
    ...ROUNDING,
    flops: rows * cols,
    bytes: rows * cols * (dtype === 'f16' ? 4 : 8),
    ...needsOf(dtype),
    ...extra,
    prepare: (device) => {
      const x = storedAs(dtype, Float32Array.from(randn(rows * cols, 1)));
      const row = Float32Array.from(randn(Math.ceil(rows / groupRows) * cols, 2));
      const oracle = () => ({
        out: Float64Array.from(x, (v, i) => {
          return v + (row[Math.floor(Math.floor(i / cols) / groupRows) * cols + (i % cols)] as number);
        }),
      });
      return prepared(
        addRows.prepare(device, { dtype }),
        { rows, cols, group_rows: groupRows },
        { inputs: { x, row }, outputs: { out: rows * cols }, halves: dtype === 'f16' ? ['x', 'out'] : [], oracle },
      );
    },
  };
}

const BENCH = { benchOnly: true };

export const residualCases: KernelCase[] = [
  ...(['gatedResidual', 'gatedResidualBackwardH', 'gatedResidualBackwardGate'] as const).flatMap((kernel) => [
    gatedCase(kernel, 6, 41, 3, undefined, { smoke: true }),
    gatedCase(kernel, 41, 257, 1),
    gatedCase(kernel, 113, 113, 41),
    gatedCase(kernel, 65539, 1, 3),
    gatedCase(kernel, 8192, 1152, 256, undefined, BENCH),
    gatedCase(kernel, 41, 257, 3, undefined, {}, undefined, false, false, 'f16'),
    gatedCase(kernel, 67, 260, 41, undefined, {}, true, true, false, 'f16'),
  ]),
  gatedCase('gatedResidualBackwardGate', 257, 113, 100, { lanes: 8 }),
  gatedCase('gatedResidualBackwardGate', 257, 3, 257, { lanes: 128 }),
  ...(['gatedResidual', 'gatedResidualBackwardH'] as const).flatMap((kernel) => [
    gatedCase(kernel, 41, 260, 3),
    gatedCase(kernel, 41, 260, 3, undefined, {}, undefined, true),
    gatedCase(kernel, 41, 260, 3, undefined, {}, true),
    gatedCase(kernel, 41, 260, 3, undefined, {}, true, true),
    gatedCase(kernel, 67, 4, 41, undefined, {}, true, true),
  ]),
  gatedCase('gatedResidualBackwardGate', 257, 260, 100),
  gatedCase('gatedResidualBackwardGate', 257, 260, 100, { lanes: 32 }, {}, true),
  gatedCase('gatedResidualBackwardGate', 41, 1028, 3, { lanes: 8 }, {}, true),
  ...[false, true].flatMap((vec) => [
    gatedCase('gatedResidualBackwardGate', 41, 260, 3, undefined, {}, vec, false, true),
    gatedCase('gatedResidualBackwardGate', 257, 260, 100, { lanes: 32 }, {}, vec, true, true),
  ]),
  gatedCase('gatedResidualBackwardGate', 113, 113, 41, undefined, {}, undefined, false, true),
  gatedCase('gatedResidualBackwardGate', 41, 257, 1, undefined, {}, undefined, false, true),
  gatedCase('gatedResidualBackwardGate', 16384, 384, 256, undefined, BENCH, undefined, true, true),
  gatedCase('gatedResidual', 8192, 1152, 1, undefined, BENCH),
  gatedCase('gatedResidualBackwardGate', 1024, 1152, 256, undefined, BENCH),
  gatedCase('gatedResidualBackwardGate', 8192, 1152, 1, undefined, BENCH),
  gatedCase('gatedResidualBackwardGate', 257, 260, 100, { lanes: 32 }, {}, true, true, true, 'f16'),
  gatedCase('gatedResidualBackwardGate', 113, 113, 41, undefined, {}, undefined, false, true, 'f16'),
  gatedCase('gatedResidualBackwardGate', 16384, 384, 256, undefined, BENCH, undefined, true, true, 'f16'),
  addRowsCase(113, 257, 41, {}, 'f16'),
  addCase(257, {}, 'f16'),
  addRowsCase(6, 41, 3, { smoke: true }),
  addRowsCase(1, 1, 1),
  addRowsCase(113, 257, 41),
  addRowsCase(65539, 3, 5),
  addRowsCase(8192, 1152, 256, BENCH),
  addCase(41, { smoke: true }),
  addCase(1),
  addCase(65539),
  addCase(8192 * 4608, BENCH),
];
