import { defineKernel, flag, group, groupsOf, oneOf, optional } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

/** What is combined, and how it is bounded. */
export interface LincombOptions {
  /** Tensors combined: u0, u1, ... */
  inputs: 1 | 2 | 3 | 4;
  /** out = origin + coefficient `inputs` * clamp(sum, -1, 1). */
  clamped?: boolean;
}

/**
 * Per-sample linear combination: out[b] = sum of coefs[b, k] u_k[b]. Buffers f32: u0..u3, out [batch, n] from offset0..3 and
 * out_offset elements on; origin [batch, n] with `clamped`; coefs, coefficient k of sample b at b coef_stride + coef_offset + k.
 */
export const lincomb = defineKernel({
  shader: shaders.lincomb,
  options: group<LincombOptions>({ inputs: oneOf(1, 2, 3, 4), clamped: optional(flag) }),
  knobs: (o: LincombOptions) => ({
    COUNT: o.inputs,
    HAS_U1: o.inputs > 1,
    HAS_U2: o.inputs > 2,
    HAS_U3: o.inputs > 3,
    CLAMPED: o.clamped,
  }),
  sizes: (d, k) => {
    const all = d.batch * d.n;
    return {
      u0: d.offset0 + all,
      u1: d.offset1 + all,
      u2: d.offset2 + all,
      u3: d.offset3 + all,
      coefs: (d.batch - 1) * d.coef_stride + d.coef_offset + (k.COUNT as number) + (k.CLAMPED ? 1 : 0),
      origin: all,
      out: d.out_offset + all,
    };
  },
  grid: (d, k) => d.batch * groupsOf(d.n, k, 4),
  check: (d) => (d.batch === 0 ? { what: 'batch is 0', fix: 'give at least one sample' } : undefined),
});
