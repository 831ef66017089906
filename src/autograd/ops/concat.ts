import { copyColumns } from '../../kernels/columns.ts';
import { rowsAndCols, type Tensor } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

/** Tensors side by side along their last axis: parts [..., C_i] with the same leading sizes -> [..., sum of C_i]. */
export function concat(tape: Tape, parts: readonly Tensor[]): Tensor {
  const { device } = tape.workspace;
  const shapes = parts.map(rowsAndCols);
  const total = shapes.reduce((sum, { cols }) => sum + cols, 0);
  const [first] = parts as readonly [Tensor, ...Tensor[]];
  const out = tape.alloc(...first.shape.slice(0, -1), total);
  const offsets = shapes.map((_, i) => shapes.slice(0, i).reduce((sum, { cols }) => sum + cols, 0));
  parts.forEach((source, i) => {
    const { rows, cols } = shapes[i] as { rows: number; cols: number };
    const dims = { rows, cols, from_stride: cols, from_offset: 0, to_stride: total, to_offset: offsets[i] as number };
    tape.run(copyColumns.prepare(device), { source, out }, dims);
  });
  return tape.push({
    op: 'concat',
    inputs: parts,
    output: out,
    saved: [],
    vjp: (dout, sink) => {
      parts.forEach((part, i) => {
        const { rows, cols } = shapes[i] as { rows: number; cols: number };
        const dims = {
          rows,
          cols,
          from_stride: total,
          from_offset: offsets[i] as number,
          to_stride: cols,
          to_offset: 0,
        };
        sink.give(part, (dpart) => tape.run(copyColumns.prepare(device), { source: dout, out: dpart }, dims));
      });
    },
  });
}
