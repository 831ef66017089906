import { defineKernel, flag, group, groupsOf, optional } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

export interface CombineOptions {
  /** Add beta b. */
  b?: boolean;
  /** Clamp to +-limit. */
  clamped?: boolean;
}

/** `out = clamp(alpha a + beta b, +-limit)`, elementwise. Buffers f32: a, b, out [count]. See shaders/combine.wgsl. */
export const combine = defineKernel({
  shader: shaders.combine,
  options: group<CombineOptions>({ b: optional(flag), clamped: optional(flag) }),
  knobs: (o: CombineOptions | undefined) => ({ HAS_B: o?.b ?? false, CLAMPED: o?.clamped ?? false }),
  sizes: (d) => ({ a: d.count, b: d.count, out: d.count }),
  grid: (d, k) => groupsOf(d.count, k, k.PER as number),
});

/** The gradient of a clamp to +-limit from its result y. Buffers f32: y, dy, dx [count]. See shaders/clamp_bwd.wgsl. */
export const clampBackward = defineKernel({
  shader: shaders.clamp_bwd,
  sizes: (d) => ({ y: d.count, dy: d.count, dx: d.count }),
  grid: (d, k) => groupsOf(d.count, k, k.PER as number),
});
