import {
  type ColumnTile,
  type NormBackwardXOptions,
  normBackward,
  normBackwardModulation,
  normBackwardWeight,
  normBackwardX,
} from '../../src/kernels/norm_backward.ts';
import { chooseChunk } from '../../src/kernels/reduce.ts';
import {
  addColumns,
  columnSums,
  modulatedNorm,
  modulatedNormGradients,
  randn,
  takeColumns,
} from '../reference/index.ts';
import { halves, type KernelCase, prepared } from './case.ts';
import { tileName } from './norm.ts';

/** aligned: the modulation's stride and offsets are multiples of 4, as a network's are. f16: dy, x, prior and dx are halves. */
type Part = 'weight' | 'bias' | 'scale' | 'shift' | 'prior' | 'aligned' | 'f16';
type Kind = 'layer' | 'rms' | 'pixel';

interface Shape {
  rows: number;
  cols: number;
  modRows?: number;
  chunkRows?: number;
}

/** Inputs of one case: the forward's tensors, its stats rounded to f32, a random cotangent, and the oracle's view of them. */
function problem(kind: Kind, parts: Part[], { rows, cols, modRows = 1 }: Shape) {
  const has = (part: Part) => parts.includes(part);
  const modCount = Math.ceil(rows / modRows);
  const modulated = has('scale') || has('shift');
  // A slice of something wider, at an odd stride or, aligned, one as even as cols.
  const [stride, scaleAt, shiftAt] = has('aligned') ? [6 * cols, 4 * cols, cols] : [3 * cols + 5, cols + 2, 1];
  const modStride = modulated ? stride : 0;
  const offsets = { scale: has('scale') ? scaleAt : 0, shift: has('shift') ? shiftAt : 0 };
  const stored = (values: Float32Array<ArrayBuffer>) => (has('f16') ? halves(values) : values);
  const dtype = has('f16') ? ('f16' as const) : undefined;
  const x = stored(Float32Array.from(randn(rows * cols, 1), (v) => v * 1.5 + 0.7));
  const dy = stored(Float32Array.from(randn(rows * cols, 2)));
  const weight = Float32Array.from(randn(cols, 3));
  const bias = Float32Array.from(randn(cols, 4));
  const modulation = Float32Array.from(randn(modCount * modStride, 5));
  const forward = {
    rows,
    cols,
    kind,
    eps: kind === 'pixel' ? 0.1 : 1e-6, // as large as shows
    modRows,
    x,
    ...(has('weight') && { weight }),
    ...(has('bias') && { bias }),
    ...(has('scale') && { scale: takeColumns(modulation, modCount, modStride, offsets.scale, cols) }),
  };
  const stats = Float32Array.from(modulatedNorm(forward).stats);
  const dims = {
    rows,
    cols,
    ...(has('scale') && { mod_rows: modRows, mod_stride: modStride, scale_offset: offsets.scale }),
  };
  return {
    has,
    dtype,
    stored,
    modCount,
    modRows,
    modStride,
    offsets,
    x,
    dy,
    weight,
    bias,
    modulation,
    forward,
    stats,
    dims,
  };
}

function named(kernel: string, kind: Kind, parts: Part[], s: Shape, lanes?: number, vec?: boolean) {
  const { rows, cols, modRows = 1, chunkRows } = s;
  const variant = [kind, ...parts].join('+');
  const shape = `${rows}x${cols}/${modRows}${chunkRows ? ` chunks of ${chunkRows}` : ''}`;
  return {
    kernel,
    name: `${variant} ${shape}${lanes ? ` ${lanes} lanes` : ''}${vec ? ' by vec4' : ''}`,
    variant,
    shape: [rows, cols],
  };
}

/** The gradient of a norm by its input. */
export function normBackwardXCase(
  kind: Kind,
  parts: Part[],
  shape: Shape,
  tile?: NormBackwardXOptions['tile'],
  extra: Partial<KernelCase> = {},
): KernelCase {
  const { rows, cols } = shape;
  return {
    ...named('normBackwardX', kind, parts, shape),
    ...(tile && { name: `${[kind, ...parts].join('+')} ${rows}x${cols}/${shape.modRows ?? 1} ${tileName(tile)}` }),
    tolerance: 2e-6,
    toleranceFrom: 'f32 rounding of the stats and of two sums of cols terms, 16 ulp',
    flops: rows * cols * 12,
    bytes: rows * cols * 4 * (parts.includes('prior') ? 4 : 3),
    forced: tile !== undefined,
    ...(parts.includes('f16') && { needs: ['shader-f16'] }),
    ...extra,
    prepare: (device) => {
      const p = problem(kind, parts, shape);
      const prior = p.stored(Float32Array.from(randn(rows * cols, 6)));
      const [weight, scale, withPrior] = [p.has('weight'), p.has('scale'), p.has('prior')];
      return prepared(
        normBackwardX.prepare(
          device,
          {
            kind,
            weight,
            scale,
            prior: withPrior,
            dtype: p.dtype,
            ...(tile && { tile, vecModulation: p.has('aligned') }),
          },
          p.dims,
        ),
        p.dims,
        {
          inputs: {
            dy: p.dy,
            x: p.x,
            stats: p.stats,
            ...(weight && { weight: p.weight }),
            ...(scale && { modulation: p.modulation }),
            ...(withPrior && { prior }),
          },
          halves: p.dtype ? ['dy', 'x', 'prior', 'dx'] : [],
          outputs: { dx: rows * cols },
          oracle: () => {
            const { dx } = modulatedNormGradients(p.forward, p.dy);
            return { dx: withPrior ? dx.map((v, i) => v + (prior[i] as number)) : dx };
          },
        },
      );
    },
  };
}

/** All gradients of a modulated norm at once. */
function allCase(
  kind: Exclude<Kind, 'pixel'>,
  parts: Part[],
  shape: Shape,
  tile?: NormBackwardXOptions['tile'],
  extra: Partial<KernelCase> = {},
): KernelCase {
  const { rows, cols } = shape;
  const own = named('normBackward', kind, parts, shape);
  return {
    ...own,
    ...(tile && { name: `${own.name} ${tileName(tile)}` }),
    tolerance: 2e-6,
    toleranceFrom: 'f32 rounding of the stats and of sums of cols and of mod_rows terms, 16 ulp',
    flops: rows * cols * 17,
    bytes: rows * cols * 4 * (parts.includes('prior') ? 4 : 3) + Math.ceil(rows / (shape.modRows ?? 1)) * cols * 20,
    forced: tile !== undefined,
    ...(parts.includes('f16') && { needs: ['shader-f16'] }),
    ...extra,
    prepare: (device) => {
      const p = problem(kind, ['scale', ...parts], shape);
      const prior = p.stored(Float32Array.from(randn(rows * cols, 6)));
      const dmodulation = Float32Array.from(randn(p.modCount * p.modStride, 7)); // what other kernels have added
      const [weight, shift, withPrior] = [p.has('weight'), p.has('shift'), p.has('prior')];
      const options = { kind, weight, shift, prior: withPrior, dtype: p.dtype };
      const dims = { ...p.dims, mod_rows: p.modRows, mod_stride: p.modStride, scale_offset: p.offsets.scale };
      const own = { ...dims, ...(shift && { shift_offset: p.offsets.shift }) };
      return prepared(
        normBackward.prepare(device, { ...options, ...(tile && { tile, vecModulation: p.has('aligned') }) }, own),
        own,
        {
          inputs: {
            ...{ dy: p.dy, x: p.x, stats: p.stats, modulation: p.modulation, dmodulation },
            ...(weight && { weight: p.weight }),
            ...(withPrior && { prior }),
          },
          halves: p.dtype ? ['dy', 'x', 'prior', 'dx'] : [],
          outputs: { dx: rows * cols, dmodulation: p.modCount * p.modStride },
          oracle: () => {
            const { dx, dscale, dshift } = modulatedNormGradients(p.forward, p.dy);
            let sum: ArrayLike<number> = addColumns(dmodulation, dscale, p.modCount, p.modStride, p.offsets.scale);
            if (shift) sum = addColumns(sum, dshift, p.modCount, p.modStride, p.offsets.shift);
            return { dx: withPrior ? dx.map((v, i) => v + (prior[i] as number)) : dx, dmodulation: sum };
          },
        },
      );
    },
  };
}

function modulationCase(
  kind: Exclude<Kind, 'pixel'>,
  parts: Part[],
  shape: Shape,
  tile?: ColumnTile,
  extra: Partial<KernelCase> = {},
  vec?: boolean,
): KernelCase {
  const { rows, cols } = shape;
  return {
    ...named('normBackwardModulation', kind, parts, shape, tile?.lanes, vec),
    tolerance: 2e-6,
    toleranceFrom: 'f32 rounding of the stats and of a sum of mod_rows terms, 16 ulp',
    flops: rows * cols * 5,
    bytes: rows * cols * 8 + Math.ceil(rows / (shape.modRows ?? 1)) * cols * 16,
    forced: tile !== undefined || vec !== undefined,
    ...(parts.includes('f16') && { needs: ['shader-f16'] }),
    ...extra,
    prepare: (device) => {
      const p = problem(kind, parts, shape);
      const dmodulation = Float32Array.from(randn(p.modCount * p.modStride, 7)); // what other kernels have added
      const [weight, bias, scale, shift] = [p.has('weight'), p.has('bias'), p.has('scale'), p.has('shift')];
      const kernel = normBackwardModulation.prepare(device, {
        kind,
        weight,
        bias,
        scale,
        shift,
        tile,
        vec,
        dtype: p.dtype,
      });
      return prepared(
        kernel,
        { ...p.dims, mod_rows: p.modRows, mod_stride: p.modStride, shift_offset: p.offsets.shift },
        {
          inputs: {
            dy: p.dy,
            x: p.x,
            stats: p.stats,
            ...(weight && { weight: p.weight }),
            ...(bias && { bias: p.bias }),
            dmodulation,
          },
          halves: p.dtype ? ['dy', 'x'] : [],
          outputs: { dmodulation: p.modCount * p.modStride },
          oracle: () => {
            const { dscale, dshift } = modulatedNormGradients(p.forward, p.dy);
            let sum: ArrayLike<number> = dmodulation;
            if (scale) sum = addColumns(sum, dscale, p.modCount, p.modStride, p.offsets.scale);
            if (shift) sum = addColumns(sum, dshift, p.modCount, p.modStride, p.offsets.shift);
            return { dmodulation: sum };
          },
        },
      );
    },
  };
}

function weightCase(
  kind: Exclude<Kind, 'pixel'>,
  parts: Part[],
  shape: Shape,
  tile?: ColumnTile,
  extra: Partial<KernelCase> = {},
): KernelCase {
  const { rows, cols, chunkRows = chooseChunk(rows, cols) } = shape;
  return {
    ...named('normBackwardWeight', kind, parts, { ...shape, chunkRows }, tile?.lanes),
    tolerance: 2e-6,
    toleranceFrom: 'f32 rounding of the stats and of a sum of chunk_rows terms, 16 ulp',
    flops: rows * cols * 5,
    bytes: rows * cols * 8,
    forced: tile !== undefined,
    ...(parts.includes('f16') && { needs: ['shader-f16'] }),
    ...extra,
    prepare: (device) => {
      const p = problem(kind, ['weight', ...parts], shape);
      const [bias, scale] = [p.has('bias'), p.has('scale')];
      const size = Math.ceil(rows / chunkRows) * cols;
      return prepared(
        normBackwardWeight.prepare(device, { kind, bias, scale, tile, dtype: p.dtype }),
        { ...p.dims, chunk_rows: chunkRows },
        {
          inputs: { dy: p.dy, x: p.x, stats: p.stats, ...(scale && { modulation: p.modulation }) },
          halves: p.dtype ? ['dy', 'x'] : [],
          outputs: { dweight_partial: size, ...(bias && { dbias_partial: size }) },
          oracle: () => {
            const up = Float64Array.from(p.dy, (v, i) => {
              const at = Math.floor(Math.floor(i / cols) / p.forward.modRows) * cols + (i % cols);
              return v * (1 + ((p.forward.scale?.[at] as number | undefined) ?? 0));
            });
            const { y: xhat } = modulatedNorm({ rows, cols, kind, eps: p.forward.eps, modRows: 1, x: p.x });
            const dweight_partial = columnSums(
              up.map((v, i) => v * (xhat[i] as number)),
              rows,
              cols,
              chunkRows,
            );
            return { dweight_partial, ...(bias && { dbias_partial: columnSums(up, rows, cols, chunkRows) }) };
          },
        },
      );
    },
  };
}

const BENCH = { benchOnly: true };

function held(lanes: number, rows: number, held: number, vec: boolean): NormBackwardXOptions['tile'] {
  return { lanes, rows, held, vec };
}

/** Tiles that hold rows, by what of a row there is: less than a quad a lane, just one, several, a part of the last. */
const heldCases: KernelCase[] = [
  normBackwardXCase('layer', ['weight', 'scale', 'prior'], { rows: 5, cols: 41, modRows: 2 }, held(16, 4, 1, false)),
  normBackwardXCase('layer', ['weight', 'scale', 'prior'], { rows: 5, cols: 64, modRows: 2 }, held(16, 4, 1, true)),
  normBackwardXCase('layer', ['weight', 'scale', 'prior', 'aligned'], { rows: 9, cols: 1152 }, held(64, 4, 5, true)),
  normBackwardXCase('rms', ['scale', 'prior', 'aligned'], { rows: 9, cols: 1028, modRows: 4 }, held(64, 2, 5, true)),
  normBackwardXCase('layer', [], { rows: 6, cols: 1153 }, held(64, 4, 5, false)),
  normBackwardXCase('rms', ['weight', 'prior'], { rows: 7, cols: 1 }, held(8, 2, 2, false)),
  normBackwardXCase('layer', ['weight', 'scale', 'prior'], { rows: 5, cols: 255, modRows: 2 }, held(8, 4, 8, false)),
  normBackwardXCase('layer', ['scale', 'prior', 'aligned'], { rows: 5, cols: 256, modRows: 2 }, held(8, 4, 8, true)),
  normBackwardXCase('layer', ['scale', 'aligned', 'f16'], { rows: 5, cols: 180, modRows: 2 }, held(16, 4, 3, true)),
  normBackwardXCase('rms', ['weight', 'prior', 'f16'], { rows: 5, cols: 181 }, held(16, 4, 4, false)),
];

export const normBackwardCases: KernelCase[] = [
  ...heldCases,
  normBackwardXCase('layer', [], { rows: 3, cols: 41 }, undefined, { smoke: true }),
  normBackwardXCase(
    'layer',
    ['weight', 'scale', 'prior'],
    { rows: 41, cols: 113, modRows: 41 },
    { lanes: 16, rows: 8 },
  ),
  normBackwardXCase('rms', ['scale', 'prior'], { rows: 13, cols: 257, modRows: 4 }, { lanes: 64, rows: 4 }),
  normBackwardXCase('layer', ['scale'], { rows: 10, cols: 257, modRows: 1 }, { lanes: 32, rows: 1 }),
  normBackwardXCase('rms', ['weight'], { rows: 257, cols: 48 }, { lanes: 1, rows: 8 }),
  normBackwardXCase('layer', ['prior'], { rows: 1, cols: 1152 }, { lanes: 256, rows: 1 }),
  normBackwardXCase('rms', ['scale', 'prior'], { rows: 7, cols: 1, modRows: 3 }, { lanes: 8, rows: 2 }),
  normBackwardXCase('layer', [], { rows: 65539, cols: 3 }, { lanes: 1, rows: 1 }),
  normBackwardXCase('pixel', ['prior'], { rows: 7, cols: 41 }),
  normBackwardXCase('pixel', [], { rows: 5, cols: 64 }, held(16, 4, 1, true)),
  normBackwardXCase('pixel', ['prior'], { rows: 5, cols: 257 }, { lanes: 64, rows: 4 }),
  allCase('layer', ['weight', 'prior'], { rows: 10, cols: 41, modRows: 3 }, undefined, { smoke: true }),
  allCase('rms', ['shift', 'prior', 'aligned'], { rows: 98, cols: 128, modRows: 49 }),
  allCase(
    'rms',
    ['weight', 'shift', 'prior', 'aligned', 'f16'],
    { rows: 12, cols: 180, modRows: 5 },
    held(16, 4, 3, true),
  ),
  allCase('rms', [], { rows: 65539, cols: 3, modRows: 1 }, held(8, 1, 1, false)),
  modulationCase('layer', ['scale', 'shift'], { rows: 6, cols: 41, modRows: 3 }, undefined, { smoke: true }),
  modulationCase('layer', ['weight', 'bias', 'scale', 'shift'], { rows: 100, cols: 113, modRows: 41 }, { lanes: 8 }),
  modulationCase('rms', ['weight', 'scale'], { rows: 257, cols: 257, modRows: 257 }, { lanes: 256 }),
  modulationCase('layer', ['shift'], { rows: 113, cols: 3, modRows: 64 }, { lanes: 2 }),
  modulationCase('rms', ['bias', 'scale', 'shift'], { rows: 41, cols: 257, modRows: 1 }, { lanes: 8 }),
  modulationCase('layer', ['weight', 'bias', 'scale', 'shift'], { rows: 100, cols: 41, modRows: 41 }),
  modulationCase('layer', ['scale', 'shift'], { rows: 65539, cols: 1, modRows: 1 }),
  modulationCase('layer', ['weight', 'bias', 'scale', 'shift'], { rows: 100, cols: 260, modRows: 41 }),
  modulationCase(
    'layer',
    ['weight', 'bias', 'scale', 'shift'],
    { rows: 100, cols: 260, modRows: 41 },
    { lanes: 32 },
    {},
    true,
  ),
  modulationCase('rms', ['scale'], { rows: 41, cols: 1028, modRows: 3 }, { lanes: 8 }, {}, true),
  modulationCase('layer', ['shift', 'f16'], { rows: 41, cols: 36, modRows: 3 }, { lanes: 8 }, {}, true),
  weightCase('layer', ['bias'], { rows: 3, cols: 41 }, undefined, { smoke: true }),
  weightCase('rms', ['scale'], { rows: 257, cols: 113, modRows: 4, chunkRows: 100 }, { lanes: 8 }),
  weightCase('layer', ['bias', 'scale'], { rows: 113, cols: 41, modRows: 113, chunkRows: 67 }),
  weightCase('layer', ['bias', 'scale'], { rows: 113, cols: 257, modRows: 113, chunkRows: 7 }),
  weightCase('rms', ['bias'], { rows: 65539, cols: 3, chunkRows: 65539 }, { lanes: 64 }),
  weightCase('layer', [], { rows: 65539, cols: 3, chunkRows: 1 }),
  normBackwardXCase('layer', ['weight', 'scale', 'prior', 'f16'], { rows: 41, cols: 113, modRows: 41 }),
  normBackwardXCase('rms', ['f16'], { rows: 7, cols: 257 }, { lanes: 16, rows: 8 }),
  modulationCase('layer', ['weight', 'scale', 'shift', 'f16'], { rows: 100, cols: 113, modRows: 41 }, { lanes: 8 }),
  weightCase('layer', ['bias', 'scale', 'f16'], { rows: 113, cols: 41, modRows: 113, chunkRows: 67 }),
  normBackwardXCase('layer', ['scale', 'prior', 'aligned'], { rows: 8192, cols: 1152, modRows: 256 }, undefined, BENCH),
  normBackwardXCase('rms', ['scale', 'prior', 'aligned'], { rows: 16384, cols: 384, modRows: 256 }, undefined, BENCH),
  normBackwardXCase('pixel', ['prior'], { rows: 65536, cols: 192 }, undefined, BENCH),
  allCase('rms', ['shift', 'prior', 'aligned'], { rows: 6272, cols: 128, modRows: 49 }, undefined, BENCH),
  allCase('rms', ['shift', 'prior', 'aligned'], { rows: 16384, cols: 192, modRows: 64 }, undefined, BENCH),
  normBackwardXCase('rms', ['scale', 'prior', 'aligned'], { rows: 6272, cols: 128, modRows: 49 }, undefined, BENCH),
  modulationCase('rms', ['scale', 'shift'], { rows: 6272, cols: 128, modRows: 49 }, undefined, BENCH),
  modulationCase('layer', ['scale', 'shift'], { rows: 8192, cols: 1152, modRows: 256 }, undefined, BENCH),
  modulationCase('layer', ['scale', 'shift'], { rows: 1024, cols: 1152, modRows: 256 }, undefined, BENCH),
  modulationCase('layer', ['scale', 'shift'], { rows: 8192, cols: 1152, modRows: 1 }, undefined, BENCH),
  weightCase('rms', ['bias'], { rows: 16384, cols: 384 }, undefined, BENCH),
  weightCase('rms', ['scale'], { rows: 16384, cols: 384, modRows: 256 }, undefined, BENCH),
];
