import { capsOf } from '../../src/kernel/index.ts';
import { chooseNorm, type NormOptions, type NormTile, norm } from '../../src/kernels/norm.ts';
import { norm as oracle, randn } from '../reference/index.ts';
import { halves, type KernelCase, prepared } from './case.ts';

/** f16: x and y are halves. */
type Part = 'weight' | 'bias' | 'scale' | 'shift' | 'stats' | 'f16';

/** One norm; without a tile, that of the device. */
export function normCase(
  kind: 'layer' | 'rms',
  parts: Part[],
  rows: number,
  cols: number,
  modRows = 1,
  tile?: NormTile,
  extra: Partial<KernelCase> = {},
): KernelCase {
  const has = (part: Part) => parts.includes(part);
  const tiled = tile ? ` ${tile.lanes} lanes` : '';
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
      const modStride = modulated ? 3 * cols + 5 : 0; // an odd stride: the modulation is a slice of something wider
      const modCount = Math.ceil(rows / modRows);
      const whole = Float32Array.from(randn(rows * cols, 1), (v) => v * 1.5 + 0.7);
      const x = has('f16') ? halves(whole) : whole;
      const weight = Float32Array.from(randn(cols, 2));
      const bias = Float32Array.from(randn(cols, 3));
      const modulation = Float32Array.from(randn(modCount * modStride, 4));
      const options: NormOptions = {
        kind,
        weight: has('weight'),
        bias: has('bias'),
        scale: has('scale'),
        shift: has('shift'),
        stats: has('stats'),
        ...(has('f16') && { dtype: 'f16' }),
        tile: tile ?? chooseNorm(cols, capsOf(device)),
      };
      const slice = (offset: number) => {
        const out = new Float64Array(modCount * cols);
        for (let r = 0; r < modCount; r++)
          for (let c = 0; c < cols; c++) out[r * cols + c] = modulation[r * modStride + offset + c];
        return out;
      };
      return prepared(
        norm.prepare(device, options),
        {
          rows,
          cols,
          eps: 1e-6,
          ...(modulated && { mod_rows: modRows, mod_stride: modStride }),
          ...(has('scale') && { scale_offset: cols + 2 }),
          ...(has('shift') && { shift_offset: 1 }),
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
            const shape = { rows, cols, kind, eps: 1e-6, x: Float64Array.from(x), modRows };
            const plain = oracle({ ...shape, ...(has('weight') && { weight: Float64Array.from(weight) }) });
            const scale = has('scale') ? slice(cols + 2) : undefined;
            const shift = has('shift') ? slice(1) : undefined;
            const y = plain.y.map((v, i) => {
              const at = Math.floor(Math.floor(i / cols) / modRows) * cols + (i % cols);
              return (v + (has('bias') ? bias[i % cols] : 0)) * (1 + (scale?.[at] ?? 0)) + (shift?.[at] ?? 0);
            });
            const stats = new Float64Array(rows * 2);
            for (let r = 0; r < rows; r++) stats.set([plain.mean[r], plain.rstd[r]], r * 2);
            return { y, ...(has('stats') && { stats }) };
          },
        },
      );
    },
  };
}

const ALL: Part[] = ['weight', 'bias', 'scale', 'shift', 'stats'];

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
  normCase('layer', ['scale', 'shift', 'stats'], 8192, 1152, 256, undefined, { benchOnly: true }),
  normCase('rms', ['scale', 'shift', 'stats'], 16384, 384, 256, undefined, { benchOnly: true }),
];
