import {
  activation,
  activationBackward,
  type SwigluSumsOptions,
  swiglu,
  swigluBackward,
  swigluBackwardSums,
  unary,
  unaryBackward,
} from '../../src/kernels/activation.ts';
import { type Act, columnSums, gatedUnit, pointwise, pointwiseSlope, randn } from '../reference/index.ts';
import { type KernelCase, needsOf, prepared, type Stored, storedAs, suffixOf } from './case.ts';

const TOLERANCE = {
  tolerance: 2e-6,
  toleranceFrom: 'f32 rounding and the few ulp that WGSL allows exp and tanh, 16 ulp',
};

/** Wide enough that both tails of the nonlinearities are met. */
const values = (count: number) => Float32Array.from(randn(count, 1), (v) => v * 3);

/** Of a case for the bench the oracle computes the first part. */
const FIRST = 1 << 20;
const checked = (x: Float32Array, { benchOnly }: Partial<KernelCase>) => (benchOnly ? x.subarray(0, FIRST) : x);

function actCase(
  act: Act,
  backward: boolean,
  count: number,
  extra: Partial<KernelCase> = {},
  dtype: Stored = 'f32',
): KernelCase {
  const isFunction = act === 'tanh' || act === 'erf';
  const kernel = isFunction ? 'unary' : 'activation';
  return {
    kernel: backward ? `${kernel}Backward` : kernel,
    name: `${act} ${count}${suffixOf(dtype)}`,
    variant: `${act}${suffixOf(dtype)}`,
    shape: [count],
    ...TOLERANCE,
    flops: count * (backward ? 20 : 12),
    bytes: (count * (backward ? 12 : 8)) / (dtype === 'f16' ? 2 : 1),
    ...needsOf(dtype),
    ...extra,
    prepare: (device) => {
      const x = storedAs(dtype, values(count));
      const half = dtype === 'f16';
      if (!backward) {
        return prepared(
          isFunction ? unary.prepare(device, { fn: act, dtype }) : activation.prepare(device, { act, dtype }),
          { count },
          {
            inputs: { x },
            outputs: { y: count },
            halves: half ? ['x', 'y'] : [],
            oracle: () => ({ y: Float64Array.from(checked(x, extra), (v) => pointwise(act, v)) }),
          },
        );
      }
      const dy = storedAs(dtype, Float32Array.from(randn(count, 2)));
      return prepared(
        isFunction
          ? unaryBackward.prepare(device, { fn: act, dtype })
          : activationBackward.prepare(device, { act, dtype }),
        { count },
        {
          inputs: { x, dy },
          outputs: { dx: count },
          halves: half ? ['x', 'dy', 'dx'] : [],
          oracle: () => ({
            dx: Float64Array.from(checked(x, extra), (v, i) => (dy[i] as number) * pointwiseSlope(act, v)),
          }),
        },
      );
    },
  };
}

function swigluCase(
  backward: boolean,
  rows: number,
  hidden: number,
  extra: Partial<KernelCase> = {},
  vec?: boolean,
  dtype: Stored = 'f32',
): KernelCase {
  const options = { vec, dtype };
  const half = dtype === 'f16';
  return {
    kernel: backward ? 'swigluBackward' : 'swiglu',
    name: `${rows}x${hidden}${vec ? ' by vec4' : ''}${suffixOf(dtype)}`,
    variant: `swiglu${suffixOf(dtype)}`,
    forced: vec !== undefined,
    shape: [rows, hidden],
    ...TOLERANCE,
    flops: rows * hidden * (backward ? 12 : 6),
    bytes: (rows * hidden * (backward ? 20 : 12)) / (half ? 2 : 1),
    ...needsOf(dtype),
    ...extra,
    prepare: (device) => {
      const x12 = storedAs(dtype, values(2 * rows * hidden));
      const first = extra.benchOnly ? Math.min(rows, Math.floor(FIRST / hidden)) : rows;
      if (!backward) {
        return prepared(
          swiglu.prepare(device, options),
          { rows, hidden },
          {
            inputs: { x12 },
            outputs: { y: rows * hidden },
            halves: half ? ['x12', 'y'] : [],
            oracle: () => ({ y: gatedUnit(x12, first, hidden).y }),
          },
        );
      }
      const dy = storedAs(dtype, Float32Array.from(randn(rows * hidden, 2)));
      return prepared(
        swigluBackward.prepare(device, options),
        { rows, hidden },
        {
          inputs: { x12, dy },
          outputs: { dx12: 2 * rows * hidden },
          halves: half ? ['x12', 'dy', 'dx12'] : [],
          oracle: () => ({ dx12: gatedUnit(x12, first, hidden, dy).dx12 }),
        },
      );
    },
  };
}

/** The gradient with the sums of its columns. */
function swigluSumsCase(
  rows: number,
  hidden: number,
  chunk_rows: number,
  how: SwigluSumsOptions = {},
  extra: Partial<KernelCase> = {},
): KernelCase {
  const { dtype = 'f32', tile, vec } = how;
  const half = dtype === 'f16';
  return {
    kernel: 'swigluBackwardSums',
    name: `${rows}x${hidden} chunks of ${chunk_rows}${tile ? ` ${tile.lanes} lanes` : ''}${vec ? ' by vec4' : ''}${suffixOf(dtype)}`,
    variant: `swiglu${suffixOf(dtype)}`,
    forced: vec !== undefined || tile !== undefined,
    shape: [rows, hidden],
    tolerance: 2e-6,
    toleranceFrom: 'f32 rounding of an exponential, and of a sum of chunk_rows terms, 16 ulp',
    flops: rows * hidden * 14,
    bytes: (rows * hidden * 20) / (half ? 2 : 1) + Math.ceil(rows / chunk_rows) * hidden * 8,
    ...needsOf(dtype),
    ...extra,
    prepare: (device) => {
      const x12 = storedAs(dtype, values(2 * rows * hidden));
      const dy = storedAs(dtype, Float32Array.from(randn(rows * hidden, 2)));
      return prepared(
        swigluBackwardSums.prepare(device, how, { hidden }),
        { rows, hidden, chunk_rows },
        {
          inputs: { x12, dy },
          outputs: { dx12: 2 * rows * hidden, sums: Math.ceil(rows / chunk_rows) * 2 * hidden },
          halves: half ? ['x12', 'dy', 'dx12'] : [],
          oracle: () => {
            const { dx12 } = gatedUnit(x12, rows, hidden, dy);
            return { dx12, sums: columnSums(dx12, rows, 2 * hidden, chunk_rows) };
          },
        },
      );
    },
  };
}

const BENCH = { benchOnly: true };
const PAST_ONE_DIMENSION = 65539 * 1024 + 3; // elements: more than 65,535 workgroups, so that the grid folds

export const activationCases: KernelCase[] = [
  ...(['gelu', 'gelu-erf', 'silu', 'relu', 'sigmoid', 'tanh', 'erf'] as const).flatMap((act) =>
    [false, true].flatMap((backward) => [
      actCase(act, backward, 41, { smoke: true }),
      actCase(act, backward, 1),
      actCase(act, backward, 65539),
      actCase(act, backward, 257, {}, 'f16'),
    ]),
  ),
  ...[false, true].flatMap((backward) => [
    swigluCase(backward, 3, 41, { smoke: true }),
    swigluCase(backward, 1, 1),
    swigluCase(backward, 113, 257),
    swigluCase(backward, 65539, 1),
    swigluCase(backward, 18, 260),
    swigluCase(backward, 18, 260, {}, true),
    swigluCase(backward, 3, 4, {}, true),
    swigluCase(backward, 113, 257, {}, undefined, 'f16'),
    swigluCase(backward, 18, 260, {}, true, 'f16'),
  ]),
  swigluSumsCase(10, 41, 4, {}, { smoke: true }),
  swigluSumsCase(113, 257, 113),
  swigluSumsCase(130, 36, 70, { tile: { lanes: 8 }, vec: true }),
  swigluSumsCase(130, 36, 70, { tile: { lanes: 16 }, vec: false }),
  swigluSumsCase(65539, 1, 1),
  swigluSumsCase(18, 260, 7, { vec: true, dtype: 'f16' }),
  swigluSumsCase(113, 41, 70, { dtype: 'f16' }),
  actCase('gelu', false, PAST_ONE_DIMENSION, BENCH),
  actCase('gelu', false, 8192 * 4608, BENCH),
  actCase('gelu', true, 8192 * 4608, BENCH),
  actCase('silu', false, 8192 * 4608, BENCH),
  actCase('gelu-erf', false, 8192 * 4608, BENCH),
  actCase('gelu-erf', true, 8192 * 4608, BENCH),
  swigluCase(false, 8192, 3072, BENCH),
  swigluCase(true, 8192, 3072, BENCH),
  swigluSumsCase(16384, 1024, 1024, {}, BENCH),
  swigluSumsCase(6272, 344, 196, {}, BENCH),
  swigluCase(false, 16384, 1023, BENCH),
  swigluCase(false, 16384, 1024, BENCH, undefined, 'f16'),
  swigluCase(true, 16384, 1024, BENCH, undefined, 'f16'),
];
