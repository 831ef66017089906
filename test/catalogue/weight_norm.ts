import {
  exchange,
  forceWeights,
  type RowTile,
  type WeightNormOptions,
  weightNorm,
  weightNormBackward,
} from '../../src/kernels/weight_norm.ts';
import { exchanged, forcedRows, normedWeights, randn } from '../reference/index.ts';
import { type KernelCase, prepared } from './case.ts';

const EPS = 1e-4;
const SCALE = 0.3;
const SUM = { tolerance: 2e-6, toleranceFrom: 'f32 rounding of a sum of squares, 16 ulp' };
/** Of a case for the bench the oracle computes the first rows. */
const FIRST = 16;

type Shape = readonly [rows: number, depth: number, taps: number];

/** Quiet rows and loud ones, and one of zeros, whose root mean square divides nothing. */
function weights([rows, depth, taps]: Shape): Float32Array<ArrayBuffer> {
  const cols = depth * taps;
  const all = Float32Array.from(randn(rows * cols, 1), (v, i) => v * (1 + (Math.floor(i / cols) % 3)));
  if (rows > 2) all.fill(0, cols, 2 * cols);
  return all;
}

function weightNormCase(
  backward: boolean,
  o: WeightNormOptions,
  shape: Shape,
  interleave = 1,
  extra: Partial<KernelCase> = {},
): KernelCase {
  const [rows, depth, taps] = shape;
  const count = rows * depth * taps;
  const words = Object.entries(o).flatMap(([name, on]) => (on === true ? [name] : []));
  const tiled = o.tile && ` ${o.tile.lanes} lanes`;
  return {
    kernel: backward ? 'weightNormBackward' : 'weightNorm',
    name: `${words.join('+') || 'turned'} ${shape.join('x')}${interleave > 1 ? ` of ${interleave}` : ''}${tiled ?? ''}`,
    variant: words.join('+') || 'turned',
    shape,
    ...(o.normed ? SUM : { tolerance: 0, toleranceFrom: 'numbers are moved' }),
    flops: o.normed ? count * 6 : 0,
    bytes: 8 * count,
    forced: o.tile !== undefined,
    ...extra,
    prepare: (device) => {
      const weight = weights(shape);
      const gain = new Float32Array([0.8]);
      const dout = Float32Array.from(randn(count, 2));
      const dims = {
        rows,
        cols: depth * taps,
        taps,
        interleave,
        ...(o.normed && { eps: EPS, scale: SCALE }),
      };
      const known = { depth, taps, interleave, ...o, gain: o.gain ? (gain[0] as number) : 1, eps: EPS, scale: SCALE };
      const part = extra.benchOnly ? FIRST : rows;
      const oracle = () => normedWeights(weight.subarray(0, part * depth * taps), { ...known, rows: part }, dout);
      const given: { [binding: string]: Float32Array } = o.gain ? { gain } : {};
      if (!backward)
        return prepared(weightNorm.prepare(device, o, dims), dims, {
          inputs: { weight, ...given },
          outputs: { out: count, ...(o.normed && { rms: rows }) },
          oracle: () => {
            const { out, rms } = oracle();
            return { out, ...(o.normed && { rms }) };
          },
        });
      const rms = Float32Array.from({ length: rows }, (_, r) => {
        const row = weight.subarray(r * depth * taps, (r + 1) * depth * taps);
        return Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / row.length);
      });
      return prepared(weightNormBackward.prepare(device, o, dims), dims, {
        inputs: { ...(o.normed && { weight, rms }), dout, ...given },
        outputs: { dweight: count, ...(o.gain && { dgain: rows }) },
        oracle: () => {
          const { dweight, dgain } = oracle();
          return { dweight, ...(o.gain && { dgain }) };
        },
      });
    },
  };
}

function forceCase(
  guard: 'free' | 'held' | undefined,
  rows: number,
  cols: number,
  extra: Partial<KernelCase> = {},
  tile?: RowTile,
): KernelCase {
  return {
    kernel: 'forceWeights',
    name: `${guard ?? 'always'} ${rows}x${cols}${tile ? ` ${tile.lanes} lanes` : ''}`,
    variant: guard ?? 'always',
    shape: [rows, cols],
    ...SUM,
    flops: 3 * rows * cols,
    bytes: 8 * rows * cols,
    forced: tile !== undefined,
    ...extra,
    prepare: (device) => {
      const weight = weights([rows, cols, 1]);
      const clip = new Float32Array([1, 0, 0, guard === 'held' ? 1 : 0]);
      return prepared(
        forceWeights.prepare(device, { guarded: guard !== undefined, tile }, { cols }),
        { rows, cols, eps: EPS },
        {
          inputs: { weight, ...(guard && { clip }) },
          outputs: { weight: rows * cols },
          oracle: () => ({ weight: guard === 'held' ? weight : forcedRows(weight, rows, EPS) }),
        },
      );
    },
  };
}

function exchangeCase(groups: number, m: number, taps: number, n: number, extra: Partial<KernelCase> = {}): KernelCase {
  const count = groups * m * taps * n;
  return {
    kernel: 'exchange',
    name: `${groups}x${m}x${taps}x${n}`,
    variant: 'exchange',
    shape: [groups, m, taps, n],
    tolerance: 0,
    toleranceFrom: 'numbers are moved',
    flops: 0,
    bytes: 8 * count,
    ...extra,
    prepare: (device) => {
      const x = Float32Array.from(randn(count, 1));
      return prepared(
        exchange.prepare(device),
        { m, taps, n, groups },
        {
          inputs: { x },
          outputs: { out: count },
          oracle: () => ({ out: exchanged(x, groups, m, taps, n) }),
        },
      );
    },
  };
}

const OPTIONS: WeightNormOptions[] = [
  {},
  { normed: true },
  { normed: true, forced: true },
  { normed: true, gain: true },
  { normed: true, forced: true, gain: true },
];
const BENCH: Shape = [768, 768, 9];

export const weightNormCases: KernelCase[] = [
  ...[false, true].flatMap((backward) => [
    ...OPTIONS.flatMap((o) => [
      weightNormCase(backward, o, [9, 5, 9], 3, { smoke: true }),
      weightNormCase(backward, o, [1, backward ? 2 : 1, 1]), // normalised, a row of one number has next to no gradient
      weightNormCase(backward, o, [41, 37, 3]),
    ]),
    ...[16, 256].map((lanes) =>
      weightNormCase(
        backward,
        { normed: true, forced: true, gain: true, tile: { lanes, rows: 256 / lanes } },
        [5, 37, 9],
      ),
    ),
    weightNormCase(backward, { normed: true, forced: true }, BENCH, 1, { benchOnly: true }),
    weightNormCase(backward, {}, [256, 512, 9], 1, { benchOnly: true }),
  ]),
  forceCase(undefined, 7, 41, { smoke: true }),
  forceCase(undefined, 1, 1),
  forceCase('free', 67, 301),
  forceCase('held', 5, 41),
  ...[16, 256].map((lanes) => forceCase('free', 19, 301, {}, { lanes, rows: 256 / lanes })),
  forceCase('free', 768, 6912, { benchOnly: true, tolerance: 1e-5 }),
  exchangeCase(1, 5, 9, 7, { smoke: true }),
  exchangeCase(1, 1, 1, 1),
  exchangeCase(3, 41, 2, 37),
  exchangeCase(1, 768, 9, 768, { benchOnly: true }),
];
