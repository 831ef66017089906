import { defineKernel } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

/** Elements of a flat buffer that one workgroup of an elementwise kernel takes. */
const PER_WORKGROUP = 1024;

/** Flat buffers are bound as vec4f: padded to whole 16 bytes. */
const quads = (count: number) => Math.ceil(count / 4);

/**
 * One update of Adam, AdamW or RAdam over flat buffers. Buffers f32: param, m, v [count] updated in place; grad [count]; clip [4];
 * hyper [9] from `adamHyper` of src/optim/hyper.ts. The flat ones are padded to 16 bytes. See shaders/adam_step.wgsl.
 */
export const adamStep = defineKernel({
  shader: shaders.adam_step,
  sizes: ({ count }) => ({
    param: quads(count),
    grad: quads(count),
    m: quads(count),
    v: quads(count),
    hyper: 9,
    clip: 4,
  }),
  grid: (d) => Math.ceil(d.count / PER_WORKGROUP),
});

/**
 * One update of Lion over flat buffers. Buffers f32: param, m [count] updated in place; grad [count]; clip [4]; hyper [6] from
 * `lionHyper` of src/optim/hyper.ts. The flat ones are padded to 16 bytes. See shaders/lion_step.wgsl.
 */
export const lionStep = defineKernel({
  shader: shaders.lion_step,
  sizes: ({ count }) => ({ param: quads(count), grad: quads(count), m: quads(count), hyper: 6, clip: 4 }),
  grid: (d) => Math.ceil(d.count / PER_WORKGROUP),
});

const PER_GROUP = 4096;
const MAX_GROUPS = 1024;

/** Pairs of partial sums that gradStats writes for this many gradients. */
export function gradStatsGroups(count: number): number {
  return Math.min(MAX_GROUPS, Math.ceil(count / PER_GROUP));
}

/**
 * Partial sums of squares and non-finite counts. Buffers f32: grad [count], padded to 16 bytes; partial [groups, 2], written
 * from group partial_offset on, `gradStatsGroups(count)` of them. See shaders/grad_stats.wgsl.
 */
export const gradStats = defineKernel({
  shader: shaders.grad_stats,
  knobs: (_o: undefined, caps) => ({ PER_GROUP, MAX_GROUPS, ...(caps.software && { LANES: 1, ROWS: 8 }) }),
  sizes: (d) => ({ grad: quads(d.count), partial: (d.partial_offset + gradStatsGroups(d.count)) * 2 }),
  grid: (d, k) => Math.ceil(gradStatsGroups(d.count) / (k.ROWS as number)),
});

/**
 * The clip factor, the norm and the non-finite count from all partial sums. Buffers f32: partial [groups, 2]; limits [2] =
 * (max_norm, or 0 for no clipping, 0); clip [4] = (scale, norm, non-finite count, 0). See shaders/clip_scale.wgsl.
 */
export const clipScale = defineKernel({
  shader: shaders.clip_scale,
  knobs: (_o: undefined, caps) => ({ LANES: caps.software ? 1 : undefined }),
  sizes: (d) => ({ partial: d.groups * 2, limits: 2, clip: 4 }),
  grid: () => 1,
});

/**
 * average = decay average + (1 - decay) param. Buffers f32: average [count] updated in place, param [count], both padded to 16
 * bytes; decay [1]. decay 0 copies exactly. See shaders/ema.wgsl.
 */
export const ema = defineKernel({
  shader: shaders.ema,
  sizes: ({ count }) => ({ average: quads(count), param: quads(count), decay: 1 }),
  grid: (d) => Math.ceil(d.count / PER_WORKGROUP),
});
