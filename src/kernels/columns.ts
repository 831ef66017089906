import { defineKernel, groupsOf } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

/**
 * Copies columns of one matrix into columns of another. Buffers f32: source [rows, from_stride] from column from_offset on, out
 * [rows, to_stride] from column to_offset on, `cols` of them; the other columns of out stay. See shaders/copy_columns.wgsl.
 */
export const copyColumns = defineKernel({
  shader: shaders.copy_columns,
  sizes: (d) => ({ source: d.rows * d.from_stride, out: d.rows * d.to_stride }),
  grid: (d, k) => groupsOf(d.rows * d.cols, k, 4),
  check: (d) =>
    d.from_offset + d.cols > d.from_stride || d.to_offset + d.cols > d.to_stride
      ? {
          what: `${d.cols} columns from ${d.from_offset} of ${d.from_stride} to ${d.to_offset} of ${d.to_stride}`,
          fix: 'give columns that both matrices have',
        }
      : undefined,
});
