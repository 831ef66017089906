import { defineKernel, flag, group, groupsOf, none, oneOf, optional } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

/** A number for every 64 elements of a flat buffer: parameters start at multiples of 256 bytes. */
const blocks = (count: number) => Math.ceil(count / 64);

/** Whether an update is masked by its agreement with the gradient. */
export interface CautiousOptions {
  /** Mask the update by its agreement with the gradient; `scales` and `owners` are then needed. */
  cautious?: boolean;
}

/** What an Adam step does beside the update. */
export interface AdamOptions extends CautiousOptions {
  /** Also update `average` with `decay`, as `ema` would with the new parameters. Not with `cautious`. */
  average?: boolean;
  /** Also write the new parameters to `half`, as f16. Not with `cautious`. */
  half?: boolean;
}

/**
 * One update of Adam, AdamW, RAdam or CAdamW over flat buffers. Buffers f32: param, m, v [count] updated in place; grad [count];
 * clip [4]; hyper [9] from `adamHyper` of src/optim/hyper.ts; cautious: scales [tensors], owners [ceil(count / 64)] u32; average:
 * average [count] updated in place, its decay hyper's tenth number; half: half [count] f16. The flat ones are padded to whole vectors of 4. See shaders/adam_step.wgsl.
 */
export const adamStep = defineKernel({
  shader: shaders.adam_step,
  options: group<AdamOptions>(
    { cautious: optional(flag), average: optional(flag), half: optional(flag) },
    ({ cautious, average, half }) =>
      cautious && (average || half)
        ? {
            what: `cautious and ${average ? 'average' : 'half'} ask for 9 buffers`,
            fix: 'leave it out, and run ema or cast after the step',
          }
        : undefined,
  ),
  knobs: (o: AdamOptions | undefined) => ({
    CAUTIOUS: o?.cautious ?? false,
    HAS_AVERAGE: o?.average ?? false,
    HAS_HALF: o?.half ?? false,
    ...(o?.half && { Half: 'vec4h' }),
  }),
  sizes: ({ count, tensors }, k) => ({
    param: count,
    grad: count,
    m: count,
    v: count,
    hyper: k.HAS_AVERAGE ? 10 : 9,
    clip: 4,
    scales: tensors,
    owners: blocks(count),
    average: count,
    half: count,
  }),
  grid: (d, k) => groupsOf(d.count, k, 4),
});

/**
 * One update of Lion or CLion over flat buffers. Buffers f32: param, m [count] updated in place; grad [count]; clip [4]; hyper [6]
 * from `lionHyper` of src/optim/hyper.ts; cautious: scales [tensors], owners [ceil(count / 64)] u32. The flat ones are padded to 16 bytes.
 * See shaders/lion_step.wgsl.
 */
export const lionStep = defineKernel({
  shader: shaders.lion_step,
  options: group<CautiousOptions>({ cautious: optional(flag) }),
  knobs: (o: CautiousOptions | undefined) => ({ CAUTIOUS: o?.cautious ?? false }),
  sizes: ({ count, tensors }) => ({
    param: count,
    grad: count,
    m: count,
    hyper: 6,
    clip: 4,
    scales: tensors,
    owners: blocks(count),
  }),
  grid: (d, k) => groupsOf(d.count, k, 4),
});

/**
 * Elements in which update and gradient agree, a number a piece. Buffers f32: grad, m [elements], padded to 16 bytes; hyper of
 * adamStep or lionStep; clip [4]; pieces [pieces, 2] u32 = (first vec4, end element); agreements, written from count_offset on.
 * See shaders/cautious_count.wgsl.
 */
export const cautiousCount = defineKernel({
  shader: shaders.cautious_count,
  options: none,
  knobs: (_o: undefined, caps) => (caps.software ? { LANES: 1, ROWS: 8 } : {}),
  sizes: (d) => ({
    grad: d.elements,
    m: d.elements,
    hyper: 3,
    clip: 4,
    pieces: 2 * d.pieces,
    agreements: d.count_offset + d.pieces,
  }),
  grid: (d, k) => Math.ceil(d.pieces / (k.ROWS as number)),
});

/** How much farther agreeing elements move. */
export interface CautiousScaleOptions {
  /** Adam's form 1 / max(share, 1e-3), or Lion's elements / (agreeing + 1). */
  form: 'adam' | 'lion';
}

/**
 * Each tensor's scale from the counts of its pieces. Buffers: agreements [pieces] f32; tensors [tensors, 3] u32 = (first piece, end piece,
 * elements); scales [tensors] f32. See shaders/cautious_scale.wgsl.
 */
export const cautiousScale = defineKernel({
  shader: shaders.cautious_scale,
  options: group<CautiousScaleOptions>({ form: oneOf('adam', 'lion') }),
  knobs: (o: CautiousScaleOptions) => ({ MEAN: o.form === 'adam' }),
  sizes: (d) => ({ agreements: d.pieces, tensors: 3 * d.tensors, scales: d.tensors }),
  grid: (d) => Math.ceil(d.tensors / 64),
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
  options: none,
  knobs: (_o: undefined, caps) => ({ PER_GROUP, MAX_GROUPS, ...(caps.software && { LANES: 1, ROWS: 8 }) }),
  sizes: (d) => ({ grad: d.count, partial: (d.partial_offset + gradStatsGroups(d.count)) * 2 }),
  grid: (d, k) => Math.ceil(gradStatsGroups(d.count) / (k.ROWS as number)),
});

/** What the gradients are of. */
export interface ClipOptions {
  /** Of a loss times `loss_scale` [4], which is updated: see shaders/clip_scale.wgsl. */
  lossScale?: boolean;
}

/**
 * The clip factor, the norm and the non-finite count from all partial sums. Buffers f32: partial [groups, 2]; limits [2] =
 * (max_norm, or 0 for no clipping, the loss, or 0); clip [4] = (scale, norm, non-finite count, held): held stays 1 from the first step
 * whose norm or loss is not finite, and optimisers then change nothing; lossScale: loss_scale [4], and a step whose gradients alone are
 * not finite is held by itself. See shaders/clip_scale.wgsl.
 */
export const clipScale = defineKernel({
  shader: shaders.clip_scale,
  options: group<ClipOptions>({ lossScale: optional(flag) }),
  knobs: (o: ClipOptions | undefined, caps) => ({
    LANES: caps.software ? 1 : undefined,
    HAS_LOSS_SCALE: o?.lossScale ?? false,
  }),
  sizes: (d) => ({ partial: d.groups * 2, limits: 2, clip: 4, loss_scale: 4 }),
  grid: () => 1,
});

/**
 * The first half of D-adapted Adam. Buffers f32: grad [count]; m, v, s [count] updated; clip [4]; hyper [8] from `dadaptHyper` of
 * src/optim/hyper.ts; distance [4]; partial [groups, 2], written from group partial_offset on, `gradStatsGroups(count)` of them.
 * See shaders/dadapt_moments.wgsl.
 */
export const dadaptMoments = defineKernel({
  shader: shaders.dadapt_moments,
  options: none,
  knobs: (_o: undefined, caps) => ({ PER_GROUP, MAX_GROUPS, ...(caps.software && { LANES: 1, ROWS: 8 }) }),
  sizes: (d) => ({
    grad: d.count,
    m: d.count,
    v: d.count,
    s: d.count,
    clip: 4,
    hyper: 8,
    distance: 4,
    partial: (d.partial_offset + gradStatsGroups(d.count)) * 2,
  }),
  grid: (d, k) => Math.ceil(gradStatsGroups(d.count) / (k.ROWS as number)),
});

/**
 * The new distance d. Buffers f32: partial [groups, 2]; hyper [8] of dadaptMoments; distance [4] = (d, numerator, d of this step's
 * moments, 0) updated; clip [4]. See shaders/dadapt_distance.wgsl.
 */
export const dadaptDistance = defineKernel({
  shader: shaders.dadapt_distance,
  options: none,
  knobs: (_o: undefined, caps) => ({ LANES: caps.software ? 1 : undefined }),
  sizes: (d) => ({ partial: d.groups * 2, hyper: 8, distance: 4, clip: 4 }),
  grid: () => 1,
});

/**
 * The second half of D-adapted Adam. Buffers f32: param [count] updated; m, v [count]; hyper [2] = (eps, lr wd); distance [4]; clip [4]. See
 * shaders/dadapt_step.wgsl.
 */
export const dadaptStep = defineKernel({
  shader: shaders.dadapt_step,
  sizes: ({ count }) => ({ param: count, m: count, v: count, hyper: 2, distance: 4, clip: 4 }),
  grid: (d, k) => groupsOf(d.count, k, 4),
});

/** What holds an average. */
export interface AverageOptions {
  /** Leave the average as it is in a step that `clip` holds. */
  guarded?: boolean;
}

/**
 * average = decay average + (1 - decay) param. Buffers f32: average [count] updated in place, param [count], both padded to 16
 * bytes; decay [1]; guarded: clip [4]. decay 0 copies exactly. See shaders/ema.wgsl.
 */
export const ema = defineKernel({
  shader: shaders.ema,
  options: group<AverageOptions>({ guarded: optional(flag) }),
  knobs: (o: AverageOptions | undefined) => ({ GUARDED: o?.guarded ?? false }),
  sizes: ({ count }) => ({ average: count, param: count, decay: 1, clip: 4 }),
  grid: (d, k) => groupsOf(d.count, k, 4),
});

/**
 * The momentum of one matrix, and what Muon makes orthogonal. Buffers f32: grad [count]; m [count] updated, both padded to 16 bytes; clip [4];
 * hyper [4] from `muonHyper` of src/optim/hyper.ts; x, written from x_offset on; partial, its sums of squares, written from
 * partial_offset on, `gradStatsGroups(count)` of them. See shaders/muon_momentum.wgsl.
 */
export const muonMomentum = defineKernel({
  shader: shaders.muon_momentum,
  options: none,
  knobs: (_o: undefined, caps) => ({ PER_GROUP, MAX_GROUPS, ...(caps.software && { LANES: 1, ROWS: 8 }) }),
  sizes: (d) => ({
    grad: d.count,
    m: d.count,
    clip: 4,
    hyper: 4,
    x: d.x_offset + d.count,
    partial: d.partial_offset + gradStatsGroups(d.count),
  }),
  grid: (d, k) => Math.ceil(gradStatsGroups(d.count) / (k.ROWS as number)),
});

/**
 * What takes matrices to a Frobenius norm of 1. Buffers f32: partial [matrices, groups] of muonMomentum; scales [matrices]. See
 * shaders/muon_scale.wgsl.
 */
export const muonScale = defineKernel({
  shader: shaders.muon_scale,
  options: none,
  knobs: (_o: undefined, caps) => ({ LANES: caps.software ? 1 : undefined }),
  sizes: (d) => ({ partial: d.matrices * d.groups, scales: d.matrices }),
  grid: (d) => d.matrices,
});

/**
 * p = p - lr wd p - lr size x for one matrix. Buffers f32: param [count] updated, padded to 16 bytes; x, read from x_offset on; hyper [4] of
 * muonMomentum; clip [4]. See shaders/muon_step.wgsl.
 */
export const muonStep = defineKernel({
  shader: shaders.muon_step,
  sizes: (d) => ({ param: d.count, x: d.x_offset + d.count, hyper: 4, clip: 4 }),
  grid: (d, k) => groupsOf(d.count, k, 4),
});

/**
 * A step by Nesterov's momentum from where local steps began. Buffers f32: param, start, m [count] updated, grad [count], all padded to 16
 * bytes; hyper [2] = (lr, momentum). See shaders/outer_step.wgsl.
 */
export const outerStep = defineKernel({
  shader: shaders.outer_step,
  sizes: ({ count }) => ({ param: count, start: count, m: count, grad: count, hyper: 2 }),
  grid: (d, k) => groupsOf(d.count, k, 4),
});
