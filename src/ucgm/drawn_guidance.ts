import { power } from '../rng/elementary.ts';
import { STREAM, uniform01 } from '../rng/philox.ts';
import { GUIDANCE_DEFAULTS } from './anystep_options.ts';
import type { ObjectiveOptions } from './options.ts';

/** Guidance of each sample of a batch, as its network takes it: 1 - 1 / w, and the times between which it acts. */
export interface DrawnGuidance {
  readonly strength: Float32Array<ArrayBuffer>;
  readonly from: Float32Array<ArrayBuffer>;
  readonly to: Float32Array<ArrayBuffer>;
}

/** The guidance that samples of a step are trained with, where the network takes it as an input. `first` is the first one's index in the whole batch. */
export function drawnGuidance(
  options: ObjectiveOptions,
  seed: number,
  step: number,
  first: number,
  size: number,
): DrawnGuidance {
  const { guidance_scales: scales = GUIDANCE_DEFAULTS.scales, guidance_draw = 'log' } = options;
  const { guidance_from = GUIDANCE_DEFAULTS.from, guidance_to = GUIDANCE_DEFAULTS.to } = options;
  const draw = (which: number, at: (u: number) => number) =>
    Float32Array.from({ length: size }, (_, b) => at(uniform01(seed, STREAM.guidance, step, 3 * (first + b) + which)));
  const between =
    ([least, most]: readonly [number, number]) =>
    (u: number) =>
      least + (most - least) * u;
  const [least, most] = scales;
  const even = between(scales);
  const scale = guidance_draw === 'log' ? (u: number) => least * power(most / least, u) : even;
  return {
    strength: draw(0, (u) => strengthOf(scale(u))),
    from: draw(1, between(guidance_from)),
    to: draw(2, between(guidance_to)),
  };
}

/**
 * The input that stands for a guidance scale w: 1 - 1 / w, from 0 for none towards 1, as times are. It is also the zeta of the target: a
 * velocity F = v + zeta (F - F_null) is F_null + w (v - F_null).
 */
export function strengthOf(scale: number): number {
  return 1 - 1 / scale;
}
