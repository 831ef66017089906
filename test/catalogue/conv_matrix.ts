/** Cases of convolutions on subgroup matrices: every source, epilogue, storage and tile, at sizes that no tile divides. */

import type { ConvSizes } from '../../src/kernels/conv.ts';
import { type ConvHalvesOptions, convHalves, type MatrixConvTile } from '../../src/kernels/conv_matrix.ts';
import { type ConvolutionSource, pointwise, randn } from '../reference/index.ts';
import { type KernelCase, prepared } from './case.ts';
import { convCase, convInputCase, convWeightCase } from './conv.ts';
import type { MatrixHow } from './conv_how.ts';
import { CONV_BENCH, images } from './conv_shapes.ts';

const FEATURES = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'];
const SAME = { kernel: [3, 3], padding: [1, 1, 1, 1] } as const;

/** Channels and pixels that no tile divides, of windows cut off by every border. */
const ODD: ConvSizes = { ...images(2, 7, 11, 24, 72), ...SAME };
const EVEN: ConvSizes = { ...images(2, 6, 10, 24, 40), ...SAME };
const STRIDE: ConvSizes = { ...images(2, 9, 7, 16, 24), kernel: [5, 3], stride: 2, padding: [2, 0, 1, 2] };
const GROUPS: ConvSizes = { ...images(1, 6, 7, 48, 72), ...SAME, groups: 3 };
const DOT: ConvSizes = { ...images(1, 9, 8, 136, 24), kernel: [1, 1] };
/** In whole steps of a tap: windows cut off by every border, and groups; a stride, whose gradient reads every other place. */
const TAPS: ConvSizes[] = [
  { ...images(2, 7, 11, 64, 72), ...SAME },
  { ...images(1, 6, 7, 96, 72), ...SAME, groups: 3 },
];
const TAPS_BACK: ConvSizes = { ...images(2, 9, 7, 16, 32), kernel: [5, 3], stride: 2, padding: [2, 0, 1, 2] };
/** More steps of k than are fetched ahead, and an odd number of them. */
const LONG: ConvSizes = { ...images(1, 5, 5, 72, 16), ...SAME };

/** Cut into parts of k: those of whole steps begin within a tap, the last is shorter, or, of a window of few numbers, empty. */
const CUT: ConvSizes[] = [LONG, { ...images(1, 7, 5, 48, 72), ...SAME, groups: 2 }, { ...DOT, channels: 40 }];
const CUT_TAPS: ConvSizes[] = [
  { ...images(1, 6, 7, 192, 80), kernel: [2, 2], groups: 2 },
  { ...DOT, channels: 64 },
];

const CAT = { first: 16, scale: 0.5, scale2: 1.5 };
const ALL: ConvolutionSource = { cat: CAT, doubled: true, silu: true };
const EVERY = ['bias', 'silu', 'pre', 'scaled', 'residual'] as const;
const BACK = ['scaled', 'slope', 'residual'] as const;

const SMALL: MatrixConvTile = { tm: 2, tn: 2, vecN: true };
const TILES: readonly MatrixConvTile[] = [
  { tm: 2, tn: 4 },
  { tm: 4, tn: 2 },
  { tm: 4, tn: 4 },
];
const [HALVES, MIXED, FLOATS] = [{ dtype: 'f16', other: 'f16' }, { dtype: 'f32', other: 'f16' }, {}] as const;

/** Of f32 rounded to f16 by kernel and oracle: where they round a number of theirs differently, a SiLU's or a scaled one's, by 2^-11 of it. */
const ROUNDED: Partial<KernelCase> = {
  tolerance: 4e-5,
  toleranceFrom: 'numbers between two halves, which an error of f32 sends to the other one',
};
const SUM: Partial<KernelCase> = { tolerance: 5e-6 };

type Families = Pick<MatrixHow, 'conv' | 'weight'>;

/** A few of them over emulated shaders, which take seconds each to compile. */
export function emulatedConvCases(own: Families): KernelCase[] {
  const how = (stored: Partial<MatrixHow>): { matrix: MatrixHow } => ({ matrix: { tile: SMALL, ...own, ...stored } });
  const [halves, floats] = [how(HALVES), how(FLOATS)];
  const odd = { matrix: { ...floats.matrix, tile: { tm: 2, tn: 2 } } as const };
  const whole = { matrix: { ...halves.matrix, tile: { ...SMALL, whole: true } } as const };
  const cut = ({ matrix }: { matrix: MatrixHow }, splits: number) => ({
    matrix: { ...matrix, tile: { ...matrix.tile, splits } },
  });
  // A dozen kernels: cases of the same options share what is compiled.
  return [
    ...[ODD, STRIDE, GROUPS, LONG].map((o) => convCase(o, halves, SUM)),
    ...TAPS.map((o) => convCase(o, whole, SUM)),
    convInputCase(TAPS_BACK, whole, SUM),
    ...CUT.map((o) => convCase(o, cut(halves, 3), SUM)),
    convCase(TAPS[0] as ConvSizes, cut(whole, 2), SUM),
    ...CUT_TAPS.map((o) => convCase(o, cut(whole, 3), SUM)),
    convInputCase(TAPS_BACK, cut(whole, 2), SUM),
    convCase({ ...EVEN, out_channels: 37 }, { ...cut(odd, 2), source: ALL }, ROUNDED),
    convCase({ ...EVEN, out_channels: 37 }, { ...odd, source: ALL, parts: EVERY }, ROUNDED),
    convInputCase(STRIDE, { ...halves, parts: BACK }, SUM),
    convWeightCase(ODD, { ...halves, chunk: 96 }, SUM),
    convWeightCase(STRIDE, halves, SUM),
    convWeightCase(GROUPS, halves, SUM),
    convWeightCase(EVEN, { ...floats, source: ALL, chunk: 50 }, ROUNDED),
  ];
}

const needing = (kase: KernelCase): KernelCase => ({ ...kase, needs: FEATURES });

/** x, or two side by side, as halves. */
function convHalvesCase(
  pixels: number,
  depth: number,
  first: number,
  silu: boolean,
  extra: Pick<KernelCase, 'smoke'> = {},
): KernelCase {
  const cat = first > 0;
  const options: ConvHalvesOptions = { cat, silu };
  return {
    kernel: 'convHalves',
    name: `${cat ? `cat at ${first} ` : ''}${silu ? 'silu ' : ''}${pixels}x${depth}`,
    variant: `${cat ? 'cat' : 'one'}${silu ? '+silu' : ''}`,
    shape: [pixels, depth],
    tolerance: 3e-7,
    toleranceFrom: 'f32 rounding of a number',
    needs: ['shader-f16'],
    flops: pixels * depth,
    bytes: 6 * pixels * depth,
    ...extra,
    prepare: (device) => {
      const x = Float32Array.from(randn(pixels * (cat ? first : depth), 1));
      const x2 = Float32Array.from(randn(pixels * (depth - first), 2));
      const [scale, scale2] = [0.5, 1.5];
      const dims = { pixels, depth, ...(cat && { first, scale, scale2 }) };
      return prepared(convHalves.prepare(device, options), dims, {
        inputs: { x, ...(cat && { x2 }) },
        outputs: { out: pixels * depth },
        halves: ['out'],
        oracle: () => ({
          out: Float64Array.from({ length: pixels * depth }, (_, i) => {
            const [pixel, channel] = [Math.floor(i / depth), i % depth];
            const own = cat ? scale * (x[pixel * first + channel] as number) : (x[i] as number);
            const other = scale2 * (x2[pixel * (depth - first) + channel - first] as number);
            const value = cat && channel >= first ? other : own;
            return silu ? pointwise('silu', value) : value;
          }),
        }),
      });
    },
  };
}

export const convHalvesCases: KernelCase[] = [
  convHalvesCase(1, 8, 0, false, { smoke: true }),
  convHalvesCase(77, 24, 0, true),
  convHalvesCase(131, 40, 16, false),
  convHalvesCase(1031, 24, 8, true),
];

export const matrixConvCases: KernelCase[] = [
  ...emulatedConvCases({}),
  convCase(DOT, { matrix: { tile: SMALL, ...MIXED }, source: { cat: { ...CAT, first: 40 } } }, ROUNDED),
  convInputCase(ODD, { matrix: { tile: SMALL, ...HALVES }, parts: BACK }, SUM),
  convWeightCase(ODD, { matrix: { tile: SMALL, ...MIXED }, source: { silu: true } }, ROUNDED),
  ...TILES.flatMap((tile) => {
    const matrix = { tile, ...HALVES };
    const large: ConvSizes = { ...images(2, 9, 13, 40, 136), ...SAME };
    return [
      convCase(large, { matrix, parts: EVERY }, SUM),
      convInputCase(large, { matrix, parts: BACK }, SUM),
      convWeightCase(large, { matrix, chunk: 100 }, SUM),
      convCase(large, { matrix: { tile: { ...tile, vecN: true }, ...FLOATS } }, SUM),
      convCase(
        { ...large, channels: 64 },
        { matrix: { ...matrix, tile: { ...tile, vecN: true, whole: true, splits: 2 } } },
        SUM,
      ),
      convCase({ ...large, channels: 64 }, { matrix: { tile: { ...tile, vecN: true, whole: true }, ...HALVES } }, SUM),
      convWeightCase(large, { matrix: { tile, ...FLOATS } }, SUM),
    ];
  }),
].map(needing);

/** As `conv2d`'s own of the bench, for the shapes that come to matrices: halves on both sides, as a step in mixed precision has them. */
export const matrixConvBenchCases: KernelCase[] = CONV_BENCH.filter(
  (o) => o.channels % 8 === 0 && o.out_channels % 8 === 0,
).flatMap((o) => {
  const matrix: MatrixHow = { tile: { tm: 4, tn: 4, vecN: true, whole: o.channels % 32 === 0 }, ...HALVES };
  const timed: Partial<KernelCase> = {
    tolerance: 2e-5,
    toleranceFrom: 'a tensor core truncates as it adds, once in 16 of k',
    benchOnly: true,
    forced: false,
    needs: FEATURES,
  };
  return [convCase(o, { matrix }, timed), convInputCase(o, { matrix }, timed), convWeightCase(o, { matrix }, timed)];
});
