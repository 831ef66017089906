import { defineKernel, flag, group, optional } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { LARGEST_PARTS } from './largest_tile.ts';
import { byFours, checkFours } from './vec_tile.ts';

export { LARGEST_PARTS };

export interface LargestOptions {
  /** x is read as vectors of 4: for a count that is a multiple of 4. */
  vec?: boolean;
  /** Of several tensors that lie in x: buffer places, dim tensors. */
  places?: boolean;
}

/**
 * The bits of the largest magnitudes of 128 parts of f32 x [count] into u32 out [128]: half of the `ranges` of a product in f32x3. With
 * `places`, u32 [tensors, 2], of several tensors in x by the first element and the count of each, into out [tensors, 128]; with `vec` each
 * begins at a multiple of 4, and zeros follow where its count is none. See shaders/largest.wgsl.
 */
export const largest = defineKernel({
  shader: shaders.largest,
  choose: (o: LargestOptions | undefined, { count }: { count: number }): LargestOptions => ({
    ...o,
    vec: o?.vec ?? count % 4 === 0,
  }),
  unshaped: (o) =>
    o?.vec === undefined
      ? byFours<{ count: number }>(({ count }) => count % 4 === 0).map((m) => ({
          ...m,
          options: { ...o, ...m.options },
        }))
      : [],
  options: group<LargestOptions>({ vec: optional(flag), places: optional(flag) }),
  knobs: (o: LargestOptions | undefined) => ({
    HAS_PLACES: o?.places ?? false,
    ...(o?.vec && { VEC: true, Elem: 'vec4u' }),
  }),
  sizes: (d) => ({ x: d.count, out: d.tensors * LARGEST_PARTS, places: 2 * d.tensors }),
  grid: (d) => d.tensors * LARGEST_PARTS,
  check: (d, k) => checkFours('count', d.count, k),
});
