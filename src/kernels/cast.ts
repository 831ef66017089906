import { defineKernel, flag, group, groupsOf, optional } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { byFours, checkFours, elem, outElem, type Stored, stored } from './vec_tile.ts';

/** From what to what. */
export interface CastOptions {
  /** How x is stored; default f32. */
  dtype?: Stored;
  /** How out is stored; default as `dtype`. */
  outDtype?: Stored;
  /** Multiply by `factor` [1]. */
  scaled?: boolean;
  /** Vectors of 4: count is a multiple of 4. Default by the shape. */
  vec?: boolean;
}

/** `out = x`, or `factor x`, in another type. Buffers: x [count] of `dtype`, out [count] of `outDtype`, f32 factor [1]. See shaders/cast.wgsl. */
export const cast = defineKernel({
  shader: shaders.cast,
  options: group<CastOptions>({ dtype: stored, outDtype: stored, scaled: optional(flag), vec: optional(flag) }),
  choose: (o: CastOptions | undefined, { count }: { count: number }): CastOptions | undefined => ({
    ...o,
    vec: o?.vec ?? count % 4 === 0,
  }),
  unshaped: (o: CastOptions | undefined) =>
    o?.vec === undefined
      ? byFours<{ count: number }>(({ count }) => count % 4 === 0).map((m) => ({
          ...m,
          options: { ...o, ...m.options },
        }))
      : [],
  knobs: (o: CastOptions | undefined) => {
    const { vec = false, dtype = 'f32', outDtype = dtype, scaled = false } = o ?? {};
    return {
      VEC: vec,
      SCALED: scaled,
      XScalar: dtype,
      XElem: elem(vec, dtype),
      Scalar: outDtype,
      OElem: outElem(vec, outDtype),
    };
  },
  sizes: (d) => ({ x: d.count, out: d.count, factor: 1 }),
  grid: (d, k) => groupsOf(Math.ceil(d.count / (k.VEC ? 4 : 1)), k, k.PER as number),
  check: (d, k) => checkFours('count', d.count, k),
});
