import { defineKernel, flag, group, optional } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { byFours, checkFours } from './vec_tile.ts';

/** Numbers that `largest` writes. */
export const LARGEST_PARTS = 128;

export interface LargestOptions {
  /** x is read as vectors of 4: for a count that is a multiple of 4. */
  vec?: boolean;
}

/**
 * The bits of the largest magnitudes of 128 parts of f32 x [count] into u32 out [128]: half of the `ranges` of a product in f32x3.
 * See shaders/largest.wgsl.
 */
export const largest = defineKernel({
  shader: shaders.largest,
  choose: (o: LargestOptions | undefined, { count }: { count: number }): LargestOptions => ({
    ...o,
    vec: o?.vec ?? count % 4 === 0,
  }),
  unshaped: (o) => (o?.vec === undefined ? byFours<{ count: number }>(({ count }) => count % 4 === 0) : []),
  options: group<LargestOptions>({ vec: optional(flag) }),
  knobs: (o: LargestOptions | undefined) => (o?.vec ? { VEC: true, Elem: 'vec4u' } : {}),
  sizes: (d) => ({ x: d.count, out: LARGEST_PARTS }),
  grid: () => LARGEST_PARTS,
  check: (d, k) => checkFours('count', d.count, k),
});
