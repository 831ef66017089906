import { defineKernel, flag, group, groupsOf, optional, powerOfTwo } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

/** Which loss. */
export interface LossOptions {
  /** Add the mean over pixels of 1 - cosine similarity over channels. */
  cosine: boolean;
  /** The mean square instead of its root; c takes no part. */
  squared?: boolean;
  /** The integral of (mse + c)^-power over the mean square: its gradient is the square's, weighted by (mse + c)^-power. */
  powered?: boolean;
}

/** How the sum over a batch is covered. */
export interface LossSumOptions {
  /** Invocations a sum, a power of two up to 256. Default 256; 1 on CPU adapters (no barriers). */
  tile?: { lanes: number };
}

const tile = optional(group<{ lanes: number }>({ lanes: powerOfTwo(256) }));

const lanesFor = (o: LossSumOptions | undefined, software: boolean) => o?.tile?.lanes ?? (software ? 1 : undefined);

/**
 * Per-sample UCGM loss: sqrt(mse + c^2) - c, or mse with `squared`, or with `powered` the integral of (mse + c)^-power, plus the cosine term.
 * Buffers f32: prediction, target_value [batch, channels, pixels]; per_sample, root [batch]. See shaders/loss_fwd.wgsl.
 */
export const lossForward = defineKernel({
  shader: shaders.loss_fwd,
  options: group<LossOptions & LossSumOptions>({
    cosine: flag,
    squared: optional(flag),
    powered: optional(flag),
    tile,
  }),
  knobs: (o: LossOptions & LossSumOptions, caps) => ({
    COSINE: o.cosine,
    SQUARED: o.squared ?? false,
    POWERED: o.powered ?? false,
    LANES: lanesFor(o, caps.software),
  }),
  sizes: (d) => {
    const all = d.batch * d.channels * d.pixels;
    return { prediction: all, target_value: all, per_sample: d.batch, root: d.batch };
  },
  grid: (d) => d.batch,
  check: (d, k) =>
    d.channels * d.pixels === 0
      ? { what: 'a sample is empty', fix: 'give channels and pixels' }
      : k.SQUARED && k.POWERED
        ? { what: 'the loss is squared and powered', fix: 'choose one' }
        : k.POWERED && !(d.c > 0)
          ? { what: `c is ${d.c}, at which a mean square of 0 has no power`, fix: 'give a positive c' }
          : undefined,
});

/** Gradient of the weighted batch mean by the prediction, or of the sum with mean_of 1. Buffers f32: prediction, target_value, dprediction [batch, channels, pixels]; root, weights [batch]. */
export const lossBackward = defineKernel({
  shader: shaders.loss_bwd,
  options: group<Pick<LossOptions, 'cosine'>>({ cosine: flag }),
  knobs: (o: Pick<LossOptions, 'cosine'>) => ({ COSINE: o.cosine }),
  sizes: (d) => {
    const all = d.batch * d.channels * d.pixels;
    return { prediction: all, target_value: all, root: d.batch, weights: d.batch, dprediction: all };
  },
  grid: (d, k) => groupsOf(d.batch * d.pixels, k),
  check: (d) => (d.mean_of === 0 ? { what: 'mean_of is 0', fix: 'leave it out, or give 1 for a sum' } : undefined),
});

/** total[slot] = weighted batch mean. Buffers f32: per_sample, weights [batch]; total [slots]. */
export const lossTotal = defineKernel({
  shader: shaders.loss_total,
  options: group<LossSumOptions>({ tile }),
  knobs: (o: LossSumOptions | undefined, caps) => ({ LANES: lanesFor(o, caps.software) }),
  sizes: (d) => ({ per_sample: d.batch, weights: d.batch, total: d.slots }),
  grid: () => 1,
  check: (d) =>
    d.batch === 0
      ? { what: 'batch is 0, of which there is no mean', fix: 'give at least one sample' }
      : d.slot >= d.slots
        ? { what: `slot ${d.slot} of ${d.slots}`, fix: 'give a slot below slots' }
        : undefined,
});
