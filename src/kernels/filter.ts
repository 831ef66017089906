import { defineKernel, group, groupsOf, oneOf, optional } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

export interface FilterOptions {
  /** Taps, tap0 to tap7 of the dims. Default 2. */
  length?: 2 | 4 | 6 | 8;
}

const options = group<FilterOptions>({ length: optional(oneOf(2, 4, 6, 8)) });
const knobs = (o: FilterOptions | undefined) => ({ LENGTH: o?.length ?? 2 });

interface Images {
  batch: number;
  height: number;
  width: number;
  large_h: number;
  large_w: number;
  channels: number;
}

const small = (d: Images) => d.batch * d.height * d.width * d.channels;
const large = (d: Images) => d.batch * d.large_h * d.large_w * d.channels;

/**
 * Images filtered along rows and columns and halved, `out[i] = scale sum tap[a] x[2i + a - before]`, 0 outside. Buffers f32: x [batch,
 * large_h, large_w, channels], out [batch, height, width, channels]. See shaders/filter_down.wgsl.
 */
export const filterDown = defineKernel({
  shader: shaders.filter_down,
  options,
  knobs,
  sizes: (d) => ({ x: large(d), out: small(d) }),
  grid: (d, k) => groupsOf(small(d), k),
});

/** The transpose of `filterDown`: x [batch, height, width, channels] -> out [batch, large_h, large_w, channels]. See shaders/filter_up.wgsl. */
export const filterUp = defineKernel({
  shader: shaders.filter_up,
  options,
  knobs,
  sizes: (d) => ({ x: small(d), out: large(d) }),
  grid: (d, k) => groupsOf(large(d), k),
});
