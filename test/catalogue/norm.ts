import { type NormOptions, type NormTile, norm } from '../../src/kernels/norm.ts';
import { norm as oracle, randn } from '../reference/index.ts';
import { halves, type KernelCase, prepared } from './case.ts';

/** aligned: the modulation's stride and offsets are multiples of 4, as a network's are. f16: x and y are halves. */
type Part = 'weight' | 'bias' | 'scale' | 'shift' | 'stats' | 'aligned' | 'f16';

/** What tells tiles apart. */
export const tileName = ({ lanes, held = 0, vec }: NormTile): string =>
  `${lanes} lanes${held ? ` hold ${held}${vec ? ' by vec4' : ''}` : ''}`;

/** One norm; without a tile, that of the device. */
export function normCase(
  kind: 'layer' | 'rms' | 'pixel',
  parts: Part[],
  rows: number,
  cols: number,
  modRows = 1,
  tile?: NormTile,
  extra: Partial<KernelCase> = {},
): KernelCase {
  const has = (part: Part) => parts.includes(part);
  const tiled = tile ? ` ${tileName(tile)}` : '';
  return {
    kernel: 'norm',
    name: `${[kind, ...parts].join('+')} ${rows}x${cols}/${modRows}${tiled}`,
    variant: [kind, ...parts].join('+'),
    shape: [rows, cols],
    tolerance: 2e-6,
    toleranceFrom: 'f32 rounding of a sum of cols terms, 16 ulp',
    flops: rows * cols * 8,
    bytes: rows * cols * 8,
    forced: tile !== undefined,
    ...(has('f16') && { needs: ['shader-f16'] }),
    ...extra,
    prepare: (device) => {
      const modulated = has('scale') || has('shift');
      const eps = kind === 'pixel' ? 0.1 : 1e-6; // as large as shows
      // A slice of something wider, at an odd stride or, aligned, one as even as cols.
      const [modStride, scaleAt, shiftAt] = has('aligned') ? [6 * cols, 4 * cols, cols] : [3 * cols + 5, cols + 2, 1];
      const modCount = Math.ceil(rows / modRows);
      const whole = Float32Array.from(randn(rows * cols, 1), (v) => v * 1.5 + 0.7);
      const x = has('f16') ? halves(whole) : whole;
      const weight = Float32Array.from(randn(cols, 2));
      const bias = Float32Array.from(randn(cols, 3));
      const modulation = Float32Array.from(randn(modulated ? modCount * modStride : 0, 4));
      const options: NormOptions = {
        kind,
        weight: has('weight'),
        bias: has('bias'),
        scale: has('scale'),
        shift: has('shift'),
        stats: has('stats'),
        ...(has('f16') && { dtype: 'f16' }),
        ...(tile && { tile, vecModulation: has('aligned') }),
      };
      const offsets = {
        ...(modulated && { mod_stride: modStride }),
        ...(has('scale') && { scale_offset: scaleAt }),
        ...(has('shift') && { shift_offset: shiftAt }),
      };
      const slice = (offset: number) => {
        const out = new Float64Array(modCount * cols);
        for (let r = 0; r < modCount; r++)
          for (let c = 0; c < cols; c++) out[r * cols + c] = modulation[r * modStride + offset + c];
        return out;
      };
      return prepared(
        norm.prepare(device, options, { cols, ...offsets }),
        {
          rows,
          cols,
          eps,
          ...(modulated && { mod_rows: modRows }),
          ...offsets,
        },
        {
          inputs: {
            x,
            ...(has('weight') && { weight }),
            ...(has('bias') && { bias }),
            ...(modulated && { modulation }),
          },
          halves: has('f16') ? ['x', 'y'] : [],
          outputs: { y: rows * cols, ...(has('stats') && { stats: rows * 2 }) },
          oracle: () => {
            const shape = { rows, cols, kind, eps, x: Float64Array.from(x), modRows };
            const plain = oracle({ ...shape, ...(has('weight') && { weight: Float64Array.from(weight) }) });
            const scale = has('scale') ? slice(scaleAt) : undefined;
            const shift = has('shift') ? slice(shiftAt) : undefined;
            const y = plain.y.map((v, i) => {
              const at = Math.floor(Math.floor(i / cols) / modRows) * cols + (i % cols);
              return (v + (has('bias') ? bias[i % cols] : 0)) * (1 + (scale?.[at] ?? 0)) + (shift?.[at] ?? 0);
            });
            const stats = new Float64Array(rows * 2);
            for (let r = 0; r < rows; r++) {
              const rstd = plain.rstd[r] as number;
              stats.set([kind === 'pixel' ? 1 / (1 - eps * rstd) : (plain.mean[r] as number), rstd], r * 2);
            }
            return { y, ...(has('stats') && { stats }) };
          },
        },
      );
    },
  };
}

const ALL: Part[] = ['weight', 'bias', 'scale', 'shift', 'stats'];

/** Tiles that hold rows, by what of a row there is: less than a quad a lane, just one, several, a part of the last. */
const heldCases: KernelCase[] = [
  normCase('layer', ALL, 5, 41, 2, { lanes: 16, rows: 4, held: 1, vec: false }),
  normCase('layer', ALL, 5, 64, 2, { lanes: 16, rows: 4, held: 1, vec: true }),
  normCase('layer', [...ALL, 'aligned'], 9, 128, 2, { lanes: 32, rows: 4, held: 1, vec: true }),
  normCase('rms', [...ALL, 'aligned'], 9, 1152, 4, { lanes: 64, rows: 4, held: 5, vec: true }),
  normCase('layer', [...ALL, 'aligned'], 9, 1028, 4, { lanes: 64, rows: 2, held: 5, vec: true }),
  normCase('layer', ['scale', 'shift'], 6, 1153, 4, { lanes: 64, rows: 4, held: 5, vec: false }),
  normCase('rms', ['scale', 'stats', 'aligned'], 7, 4, 3, { lanes: 8, rows: 2, held: 1, vec: true }),
  normCase('rms', ['weight'], 7, 1, 3, { lanes: 8, rows: 2, held: 2, vec: false }),
  normCase('layer', ALL, 5, 255, 2, { lanes: 8, rows: 4, held: 8, vec: false }),
  normCase('layer', [...ALL, 'aligned'], 5, 256, 2, { lanes: 8, rows: 4, held: 8, vec: true }),
  normCase('layer', ['bias', 'stats'], 5, 26, 1, { lanes: 1, rows: 8, held: 7, vec: false }),
  normCase('layer', [...ALL, 'aligned', 'f16'], 5, 180, 2, { lanes: 16, rows: 4, held: 3, vec: true }),
  normCase('rms', [...ALL, 'f16'], 5, 181, 2, { lanes: 16, rows: 4, held: 4, vec: false }),
];

export const normCases: KernelCase[] = [
  normCase('layer', ['stats'], 3, 41, 1, undefined, { smoke: true }),
  normCase('rms', ['scale', 'shift', 'stats'], 12, 113, 4, { lanes: 64, rows: 4 }),
  normCase('layer', ['scale', 'shift', 'stats'], 10, 257, 1, { lanes: 32, rows: 1 }),
  normCase('layer', ALL, 41, 113, 41, { lanes: 16, rows: 8 }),
  normCase('rms', ['weight'], 257, 48, 1, { lanes: 1, rows: 8 }),
  normCase('rms', ['scale'], 7, 1, 3, { lanes: 8, rows: 2 }),
  normCase('layer', ['stats'], 1, 1152, 1, { lanes: 256, rows: 1 }),
  normCase('layer', ['stats'], 65539, 3, 1, { lanes: 1, rows: 1 }),
  normCase('layer', ['stats', 'f16'], 3, 41),
  normCase('layer', [...ALL, 'f16'], 41, 113, 41, { lanes: 16, rows: 8 }),
  normCase('rms', ['weight', 'f16'], 257, 47, 1, { lanes: 1, rows: 8 }),
  normCase('rms', ['scale', 'f16'], 7, 1, 3, { lanes: 8, rows: 2 }),
  normCase('pixel', ['stats'], 7, 41),
  normCase('pixel', ['stats'], 13, 64, 1, { lanes: 16, rows: 4, held: 1, vec: true }),
  normCase('pixel', ['stats'], 5, 257, 1, { lanes: 64, rows: 4 }),
  ...heldCases,
  normCase('layer', ['scale', 'shift', 'stats', 'aligned'], 8192, 1152, 256, undefined, { benchOnly: true }),
  normCase('pixel', ['stats'], 65536, 192, 1, undefined, { benchOnly: true }),
  normCase('rms', ['scale', 'shift', 'stats', 'aligned'], 16384, 384, 256, undefined, { benchOnly: true }),
];
