import { copyColumns } from '../../src/kernels/columns.ts';
import { randn } from '../reference/index.ts';
import { type KernelCase, prepared } from './case.ts';

interface Columns {
  rows: number;
  cols: number;
  from_stride: number;
  from_offset: number;
  to_stride: number;
  to_offset: number;
}

function columnsCase(o: Columns, extra: Partial<KernelCase> = {}): KernelCase {
  return {
    kernel: 'copyColumns',
    name: `${o.rows}x${o.cols} from ${o.from_offset} of ${o.from_stride} to ${o.to_offset} of ${o.to_stride}`,
    variant: 'columns',
    shape: [o.rows, o.cols],
    tolerance: 0,
    toleranceFrom: 'numbers are moved, none changes',
    flops: 0,
    bytes: o.rows * o.cols * 8,
    ...extra,
    prepare: (device) => {
      const source = Float32Array.from(randn(o.rows * o.from_stride, 1));
      const before = Float32Array.from(randn(o.rows * o.to_stride, 2));
      return prepared(
        copyColumns.prepare(device),
        { ...o },
        {
          inputs: { source, out: before },
          outputs: { out: before.length },
          oracle: () => {
            const out = Float64Array.from(before);
            for (let r = 0; r < o.rows; r++)
              for (let c = 0; c < o.cols; c++)
                out[r * o.to_stride + o.to_offset + c] = source[r * o.from_stride + o.from_offset + c] as number;
            return { out };
          },
        },
      );
    },
  };
}

const side = (rows: number, cols: number, from: [number, number], to: [number, number]): Columns => ({
  rows,
  cols,
  from_offset: from[0],
  from_stride: from[1],
  to_offset: to[0],
  to_stride: to[1],
});

export const columnsCases: KernelCase[] = [
  columnsCase(side(3, 7, [0, 7], [5, 13]), { smoke: true }),
  columnsCase(side(1, 1, [0, 1], [0, 1])),
  columnsCase(side(41, 3, [4, 11], [0, 3])),
  columnsCase(side(113, 257, [1, 258], [41, 298])),
  columnsCase(side(65539, 1, [1, 2], [0, 3])),
  columnsCase(side(65536, 1025, [0, 1025], [0, 1025]), { benchOnly: true }), // more than 65,535 workgroups
  columnsCase(side(64 * 17 * 17, 192, [0, 192], [192, 768]), { benchOnly: true }),
];
