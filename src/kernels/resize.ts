import { defineKernel, groupsOf } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

/** Cuts rows short or pads them with zeros. Buffers f32: x [rows, cols_in], out [rows, cols_out]. */
export const resizeRows = defineKernel({
  shader: shaders.resize_rows,
  sizes: (d) => ({ x: d.rows * d.cols_in, out: d.rows * d.cols_out }),
  grid: (d, k) => groupsOf(d.rows * d.cols_out, k, 4),
});
