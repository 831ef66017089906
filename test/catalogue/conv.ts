import { capsOf, type Kernel } from '../../src/kernel/index.ts';
import {
  type ConvOptions,
  type ConvSizes,
  type ConvTile,
  type ConvWeightOptions,
  chooseConv,
  chooseConvWeight,
  conv2d,
  conv2dBackwardWeight,
  convDims,
  convOutput,
} from '../../src/kernels/conv.ts';
import { matrixConv2d, matrixConv2dBackwardWeight } from '../../src/kernels/conv_matrix.ts';
import type { Conv2dBwdWeightPlain, Conv2dPlain } from '../../src/shaders.generated.ts';
import {
  type Act,
  type ConvolutionSource,
  convolutionStart,
  convolved,
  convolvedGradients,
  exchanged,
  pointwise,
  randn,
  siluSlope,
  sourceOf,
} from '../reference/index.ts';
import { halves, type KernelCase, prepared, storedAs } from './case.ts';
import { halvesOf, type MatrixHow, multiplied, weightParts } from './conv_how.ts';
import { CONV_BENCH, CONV_SIZES, DECODERS, images } from './conv_shapes.ts';

type Part = 'bias' | 'silu' | 'relu' | 'pre' | 'scaled' | 'residual' | 'slope';

/** Of a case for the bench the oracle computes the first numbers. */
const FIRST = 64;
const [OUT_SCALE, RESIDUAL_SCALE] = [0.75, -1.25];
const floats = (count: number, seed: number) => Float32Array.from(randn(count, seed));

function named(o: ConvSizes, source: ConvolutionSource, parts: readonly string[], given: Given): string {
  const { tile, matrix } = given;
  const { padding = [0, 0, 0, 0], stride = 1, groups = 1 } = o;
  const read = [
    source.cat && `cat at ${source.cat.first}`,
    source.doubled && 'doubled',
    source.silu && 'of silu',
  ].filter(Boolean);
  const more = [...parts, ...read].join('+');
  const size = tile && (tile.kind === 'tiled' ? [32 * tile.qm, 32 * tile.qn] : [tile.tm, tile.tn]).join('x');
  const vectors =
    tile &&
    (['vec', 'vecDy', 'vecN', 'whole', 'rolled'] as const).flatMap((flag) =>
      flag in tile && tile[flag as 'vec'] ? [flag] : [],
    );
  const onMatrices = matrix && [
    `matrix ${32 * matrix.tile.tm}x${32 * matrix.tile.tn}`,
    matrix.tile.vecN && 'vecN',
    matrix.tile.whole && 'whole',
    matrix.tile.splits && `splits ${matrix.tile.splits}`,
    `${matrix.dtype ?? 'f32'} by ${matrix.other ?? 'f32'}`,
  ];
  const tiled = onMatrices
    ? onMatrices.filter(Boolean).join(' ')
    : tile && vectors && [tile.kind, size, ...vectors].join(' ');
  const split = groups === 1 ? '' : ` in ${groups} groups`;
  const images = `${o.batch}x${o.height}x${o.width}x${o.channels}`;
  return `${more && `${more} `}${o.kernel.join('x')}/${stride} pad ${padding.join('')} of ${images} to ${o.out_channels}${split}${tiled ? ` ${tiled}` : ''}`;
}

interface Given {
  source?: ConvolutionSource;
  parts?: readonly Part[];
  tile?: ConvTile;
  matrix?: MatrixHow;
}

/** What the kernels read, stored as the source says, and the whole images for the oracle. */
function imagesOf(o: ConvSizes, source: ConvolutionSource, matrix?: MatrixHow) {
  const pixels = (o.batch * o.height * o.width) / (source.doubled ? 4 : 1);
  const first = source.cat?.first ?? o.channels;
  const { dtype = 'f32' } = matrix ?? {};
  const x = storedAs(dtype, floats(pixels * first, 1));
  const x2 = source.cat && storedAs(dtype, floats(pixels * (o.channels - first), 2));
  const whole = () => {
    const read = sourceOf(x, x2, o, source);
    return matrix ? halves(Float32Array.from(read)) : read;
  };
  return { x, x2, whole };
}

const flopsOf = (o: ConvSizes) => {
  const { weight } = convDims(o);
  return 2 * weight.m * weight.n * weight.k * weight.groups;
};

const catDims = ({ cat }: ConvolutionSource) => cat ?? {};

const SUM = { tolerance: 3e-6, toleranceFrom: 'f32 rounding of a sum of k terms, in order' };

/** The kernel of a convolution, or of its gradient by what it reads. */
function convKernel(device: GPUDevice, options: ConvOptions, { tile, matrix }: Given, choose: () => ConvTile) {
  if (!matrix) return conv2d.prepare(device, { ...options, tile: tile ?? choose() }) as Kernel<Conv2dPlain>;
  const { tile: _, ...rest } = options;
  const { conv = matrixConv2d, dtype = 'f32', other = 'f32' } = matrix;
  const kernel = conv.prepare(device, { ...rest, dtype, weightDtype: other, tile: matrix.tile });
  return kernel as unknown as Kernel<Conv2dPlain>; // the same buffers and dims
}

/** The convolution, with what is fused. */
export function convCase(o: ConvSizes, given: Given = {}, extra: Partial<KernelCase> = {}): KernelCase {
  const { source = {}, parts = [], tile, matrix } = given;
  const has = (part: Part) => parts.includes(part);
  const act = has('silu') ? 'silu' : has('relu') ? 'relu' : 'none';
  const { forward } = convDims(o);
  const made = forward.m * o.out_channels;
  return {
    kernel: matrix ? 'matrixConv2d' : 'conv2d',
    name: named(o, source, parts, given),
    variant: ['forward', ...parts].join('+'),
    shape: [o.batch, o.height, o.width, o.channels, o.out_channels],
    ...SUM,
    flops: flopsOf(o),
    bytes: 4 * (o.batch * o.height * o.width * o.channels + o.out_channels * forward.k + made),
    forced: tile !== undefined || matrix !== undefined,
    ...extra,
    prepare: (device) => {
      const { x, x2, whole } = imagesOf(o, source, matrix);
      const weight = multiplied(matrix, floats(o.out_channels * forward.k, 3));
      const bias = floats(o.out_channels, 4);
      const residual = floats(made, 5);
      const options = {
        cat: source.cat !== undefined,
        doubled: source.doubled ?? false,
        silu: source.silu ?? false,
        bias: has('bias'),
        act,
        pre: has('pre'),
        scaled: has('scaled'),
        residual: has('residual'),
      } as const;
      const shape = { ...forward, ...(source.cat && { first: source.cat.first }) };
      const kernel = convKernel(device, options, given, () => chooseConv(shape, capsOf(device)));
      const dims = {
        ...forward,
        ...catDims(source),
        ...(has('scaled') && { out_scale: OUT_SCALE }),
        ...(has('residual') && { residual_scale: RESIDUAL_SCALE }),
      };
      const inputs = {
        x,
        weight,
        ...(x2 && { x2 }),
        ...(has('bias') && { bias }),
        ...(has('residual') && { residual }),
      };
      const outputs = { out: (matrix?.tile.splits ?? 1) * made, ...(has('pre') && { pre: made }) };
      return prepared(kernel, dims, {
        inputs,
        outputs,
        ...(matrix && { halves: halvesOf(matrix, 'weight') }),
        oracle: () => {
          const all = whole();
          const sums = extra.benchOnly
            ? convolutionStart(all, weight, [], { ...o, batch: 1 }, FIRST).y
            : weightParts(matrix, weight, forward.k, (i) => i % forward.k).flatMap((w) => [...convolved(all, w, o)]);
          const pre = sums.map((sum, i) => sum + (has('bias') ? (bias[i % o.out_channels] as number) : 0));
          const out = pre.map((value, i) => {
            const acted = act === 'none' ? value : pointwise(act as Act, value);
            const scaled = has('scaled') ? OUT_SCALE * acted : acted;
            return scaled + (has('residual') ? RESIDUAL_SCALE * (residual[i] as number) : 0);
          });
          return { out, ...(has('pre') && { pre }) };
        },
      });
    },
  };
}

/** Its gradient by what it reads. */
export function convInputCase(o: ConvSizes, given: Given = {}, extra: Partial<KernelCase> = {}): KernelCase {
  const { parts = [], matrix, tile } = given;
  const has = (part: Part) => parts.includes(part);
  const { input, weight: shape } = convDims(o);
  const { groups = 1, stride = 1 } = o;
  const read = input.m * o.channels;
  return {
    kernel: matrix ? 'matrixConv2d' : 'conv2d',
    name: `input ${named(o, {}, parts, given)}`,
    variant: ['input', ...parts].join('+'),
    shape: [o.batch, o.height, o.width, o.channels, o.out_channels],
    ...SUM,
    flops: flopsOf(o),
    bytes: 4 * (shape.k * o.out_channels + o.out_channels * shape.n + read),
    forced: tile !== undefined || matrix !== undefined,
    ...extra,
    prepare: (device) => {
      const dy = multiplied(matrix, floats(shape.k * o.out_channels, 1));
      const weight = multiplied(matrix, floats(o.out_channels * shape.n, 3));
      const turned = Float32Array.from(exchanged(weight, groups, shape.m, o.kernel[0] * o.kernel[1], input.n));
      const before = floats(read, 4);
      const residual = floats(read, 5);
      const options = {
        transposed: true,
        strided: stride > 1,
        scaled: has('scaled'),
        slope: has('slope'),
        residual: has('residual'),
      };
      const kernel = convKernel(device, options, given, () => chooseConv(input, capsOf(device)));
      const dims = {
        ...input,
        ...(has('scaled') && { out_scale: OUT_SCALE }),
        ...(has('residual') && { residual_scale: RESIDUAL_SCALE }),
      };
      return prepared(kernel, dims, {
        inputs: {
          x: dy,
          weight: turned,
          ...(has('slope') && { before }),
          ...(has('residual') && { residual }),
        },
        outputs: { out: (matrix?.tile.splits ?? 1) * read },
        ...(matrix && { halves: halvesOf(matrix, 'weight') }),
        oracle: () => {
          const nothing = { length: read };
          // Of k of the gradient taps come before channels that were made.
          const place = (i: number) =>
            Math.floor((i % shape.n) / input.n) * shape.m + (Math.floor(i / shape.n) % shape.m);
          const dx = extra.benchOnly
            ? convolutionStart(nothing as ArrayLike<number>, weight, dy, { ...o, batch: 1 }, FIRST).dx
            : weightParts(matrix, weight, input.k, place).flatMap((w) => [
                ...convolvedGradients(new Float64Array(read), w, dy, o).dx,
              ]);
          const scale = has('scaled') ? OUT_SCALE : 1;
          return {
            out: dx.map((sum, i) => {
              const back = scale * sum * (has('slope') ? siluSlope(scale, before[i] as number) : 1);
              return back + (has('residual') ? RESIDUAL_SCALE * (residual[i] as number) : 0);
            }),
          };
        },
      });
    },
  };
}

/** The kernel of the gradient by the weight. */
function weightKernel(device: GPUDevice, options: ConvWeightOptions, { tile, matrix }: Given, chosen: ConvTile) {
  if (!matrix)
    return conv2dBackwardWeight.prepare(device, { ...options, tile: tile ?? chosen }) as Kernel<Conv2dBwdWeightPlain>;
  const { tile: _, ...rest } = options;
  const { weight = matrixConv2dBackwardWeight, dtype = 'f32', other = 'f32' } = matrix;
  const { tm, tn } = matrix.tile;
  const kernel = weight.prepare(device, { ...rest, dtype, dyDtype: other, tile: { tm, tn } });
  return kernel as unknown as Kernel<Conv2dBwdWeightPlain>; // the same buffers and dims
}

/** Its gradient by the weight, in parts of `chunk` pixels. */
export function convWeightCase(
  o: ConvSizes,
  given: Given & { chunk?: number } = {},
  extra: Partial<KernelCase> = {},
): KernelCase {
  const { source = {}, tile, matrix, chunk } = given;
  const { weight: shape } = convDims(o);
  const [outH, outW] = convOutput(o);
  const count = o.out_channels * shape.n;
  return {
    kernel: matrix ? 'matrixConv2dBackwardWeight' : 'conv2dBackwardWeight',
    name: `${named(o, source, [], given)}${chunk ? ` by ${chunk}` : ''}`,
    variant: 'weight',
    shape: [o.batch, o.height, o.width, o.channels, o.out_channels],
    ...SUM,
    flops: flopsOf(o),
    bytes: 4 * (o.batch * o.height * o.width * o.channels + count + shape.k * o.out_channels),
    forced: tile !== undefined || matrix !== undefined,
    ...extra,
    prepare: (device) => {
      const { x, x2, whole } = imagesOf(o, source, matrix);
      const dy = multiplied(matrix, floats(shape.k * o.out_channels, 3));
      const first = source.cat && { first: source.cat.first };
      const chosen = chooseConvWeight({ ...shape, ...first }, capsOf(device));
      const options = {
        cat: source.cat !== undefined,
        doubled: source.doubled ?? false,
        silu: source.silu ?? false,
      };
      const k_chunk = extra.benchOnly ? chosen.kChunk : (chunk ?? shape.k);
      const splits = Math.ceil(shape.k / k_chunk);
      const pixels = outH * outW;
      return prepared(
        weightKernel(device, options, given, chosen.tile),
        { ...shape, ...catDims(source), k_chunk },
        {
          inputs: { x, dy, ...(x2 && { x2 }) },
          outputs: { dweight: splits * count },
          ...(matrix && { halves: halvesOf(matrix, 'dy') }),
          oracle: () => {
            const all = whole();
            const parts = Array.from({ length: splits }, (_, s) => {
              // The pixels of a part: of the others dy is 0.
              const own = dy.map((v, i) => {
                const pixel = Math.floor(i / o.out_channels);
                return pixel >= s * k_chunk && pixel < (s + 1) * k_chunk ? v : 0;
              });
              if (!extra.benchOnly) return convolvedGradients(all, new Float64Array(count), own, o).dweight;
              const images = Math.min(o.batch, Math.ceil(k_chunk / pixels));
              const nothing = { length: count } as ArrayLike<number>;
              return convolutionStart(all, nothing, own, { ...o, batch: images }, FIRST).dweight;
            });
            return { dweight: extra.benchOnly ? (parts[0] as Float64Array) : parts.flatMap((part) => [...part]) };
          },
        },
      );
    },
  };
}

const SMOKE: ConvSizes = { ...images(1, 5, 6, 4, 8), kernel: [3, 3], padding: [1, 1, 1, 1] };
const EVEN: ConvSizes = { ...images(2, 6, 10, 12, 9), kernel: [3, 3], padding: [1, 1, 1, 1] };
const CAT = { first: 8, scale: 0.5, scale2: 1.5 };
const SOURCES: ConvolutionSource[] = [
  { cat: CAT },
  { doubled: true },
  { silu: true },
  { cat: { ...CAT, first: 5 }, doubled: true, silu: true },
  { cat: CAT, doubled: true, silu: true },
];
const EVERY: Part[] = ['bias', 'silu', 'pre', 'scaled', 'residual'];

/** Every tile; the square ones reading vectors of 4, too, and whole steps of a tap or a row. */
const TILES: Extract<ConvTile, { kind: 'tiled' }>[] = [
  { kind: 'tiled', qm: 1, qn: 1 },
  { kind: 'tiled', qm: 2, qn: 1 },
  { kind: 'tiled', qm: 1, qn: 2 },
  { kind: 'tiled', qm: 2, qn: 2 },
  { kind: 'tiled', qm: 1, qn: 1, vec: true, vecDy: true },
  { kind: 'tiled', qm: 2, qn: 2, vec: true, vecDy: true },
  { kind: 'tiled', qm: 1, qn: 1, vec: true, vecDy: true, vecN: true, whole: true },
  { kind: 'tiled', qm: 2, qn: 2, vec: true, vecDy: true, vecN: true, whole: true },
];
const past = ({ vec, whole }: Extract<ConvTile, { kind: 'tiled' }>): ConvSizes => ({
  ...(whole ? images(1, 9, 16, 32, 80) : images(1, 9, 11, vec ? 8 : 7, vec ? 72 : 67)),
  kernel: [3, 3],
  padding: [1, 1, 1, 1],
});

/** What is read in whole steps: two inputs side by side, doubled; a stride of 2, whose gradient reads every other place. */
const STEPS: Extract<ConvTile, { kind: 'tiled' }> = { kind: 'tiled', qm: 1, qn: 1, vec: true, vecN: true, whole: true };
const WHOLE: ConvSizes = { ...images(2, 6, 16, 48, 12), kernel: [3, 3], padding: [1, 1, 1, 1] };
const STRIDE: ConvSizes = { ...images(2, 5, 32, 20, 16), kernel: [3, 3], stride: 2, padding: [1, 1, 1, 1] };

const TIMED = { benchOnly: true };

/** The tiled kernels, forced, at sizes past their tiles. */
export function tiledConvCases(rolled: boolean): KernelCase[] {
  const source: ConvolutionSource = { cat: CAT, doubled: true, silu: true };
  return [
    ...TILES.map((tile) => ({ ...tile, rolled })).flatMap((tile) => [
      convCase(past(tile), { tile }),
      convInputCase(past(tile), { tile: tile.whole ? tile : { ...tile, vec: false } }),
      convWeightCase(past(tile), { tile, chunk: 48 }),
    ]),
    convCase(WHOLE, { tile: { ...STEPS, rolled }, source: { ...source, cat: { ...CAT, first: 16 } }, parts: EVERY }),
    convWeightCase(WHOLE, { tile: { ...STEPS, rolled }, source: { ...source, cat: { ...CAT, first: 16 } } }),
    convInputCase(STRIDE, { tile: { ...STEPS, rolled }, parts: ['scaled', 'slope', 'residual'] }),
    convWeightCase(STRIDE, { tile: { ...STEPS, rolled } }),
    ...[false, true].flatMap((vec) => {
      const tile: ConvTile = { kind: 'tiled', qm: 1, qn: 1, rolled, vec };
      return [
        convCase(EVEN, { tile, source, parts: EVERY }),
        convWeightCase(EVEN, { tile, source }),
        convInputCase(
          { ...(CONV_SIZES[4] as ConvSizes), out_channels: 8 },
          { tile, parts: ['scaled', 'slope', 'residual'] },
        ),
        convCase(CONV_SIZES[5] as ConvSizes, { tile }),
        convWeightCase(CONV_SIZES[5] as ConvSizes, { tile }),
      ];
    }),
  ];
}

/** Tiled kernels as rolled, which every adapter compiles; as a GPU has them: test/written_out. */
export const convCases: KernelCase[] = [
  convCase(SMOKE, {}, { smoke: true }),
  convInputCase(SMOKE, {}, { smoke: true }),
  convWeightCase(SMOKE, {}, { smoke: true }),
  ...CONV_SIZES.flatMap((o) => [convCase(o), convInputCase(o), convWeightCase(o)]),
  ...SOURCES.flatMap((source) => [convCase(EVEN, { source }), convWeightCase(EVEN, { source })]),
  ...EVERY.map((part) => convCase(EVEN, { parts: [part] })),
  convCase(EVEN, { parts: EVERY }),
  convCase(EVEN, { parts: ['bias', 'relu'] }),
  convInputCase(EVEN, { parts: ['scaled', 'slope', 'residual'] }),
  convInputCase(EVEN, { parts: ['slope'] }),
  convWeightCase(EVEN, { chunk: 31 }),
  convWeightCase({ ...(CONV_SIZES[5] as ConvSizes) }, { chunk: 16 }),
  ...tiledConvCases(true),
  ...CONV_BENCH.flatMap((o) => [convCase(o, {}, TIMED), convInputCase(o, {}, TIMED), convWeightCase(o, {}, TIMED)]),
  ...DECODERS.map((o) => convCase(o, {}, TIMED)),
];
