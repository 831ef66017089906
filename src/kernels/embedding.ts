import { defineKernel, groupsOf } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

/**
 * Rows of a table. Buffers: table [rows, cols] f32, index [count] u32, out [count, cols] f32. The caller checks that every
 * index is below rows; one that is not gives a row of NaN.
 */
export const embedding = defineKernel({
  shader: shaders.embedding_fwd,
  sizes: (d) => ({ table: d.rows * d.cols, index: d.count, out: d.count * d.cols }),
  grid: (d, k) => groupsOf(d.count * d.cols, k),
});

/** The table's gradient, written whole, deterministic. Buffers: index [count] u32, dout [count, cols] f32, dtable [rows, cols] f32. */
export const embeddingBackward = defineKernel({
  shader: shaders.embedding_bwd,
  sizes: (d) => ({ index: d.count, dout: d.count * d.cols, dtable: d.rows * d.cols }),
  grid: (d, k) => groupsOf(d.rows * d.cols, k),
});

/** Sinusoids of times, [cos | sin]. Buffers f32: t [count], out [count, dim]. */
export const timestepEmbedding = defineKernel({
  shader: shaders.timestep_embedding,
  sizes: (d) => ({ t: d.count, out: d.count * d.dim }),
  grid: (d, k) => groupsOf(d.count * d.dim, k),
  check: (d) => (d.dim < 2 ? { what: `dim is ${d.dim}`, fix: 'give at least 2' } : undefined),
});
