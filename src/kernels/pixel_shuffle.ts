import { defineKernel, flag, group, groupsOf, type KnobValue, optional } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

export interface PixelGatherOptions {
  /** From channels to pixels: the transpose. */
  up?: boolean;
}

interface Squares {
  batch: number;
  height: number;
  width: number;
  channels: number;
  side: number;
  each: number;
}

const large = (d: Squares) => d.batch * d.height * d.width * d.side ** 2 * d.channels;
const small = (d: Squares) => large(d) / d.each;
const outputs = (d: Squares, k: Record<string, KnobValue>) => (k.UP ? large(d) : small(d));

/**
 * Pixel unshuffle with sums of neighbouring channels, and its transpose, pixel shuffle of repeated ones: x [batch, side height, side width,
 * channels] -> out [batch, height, width, side^2 channels / each], f32, times scale; up the other way. See shaders/pixel_gather.wgsl.
 */
export const pixelGather = defineKernel({
  shader: shaders.pixel_gather,
  options: group<PixelGatherOptions>({ up: optional(flag) }),
  knobs: (o: PixelGatherOptions | undefined) => ({ UP: o?.up ?? false }),
  sizes: (d, k) => ({ x: k.UP ? small(d) : large(d), out: outputs(d, k) }),
  grid: (d, k) => groupsOf(outputs(d, k), k),
  check: (d) =>
    d.side === 0 || d.each === 0 || (d.channels * d.side ** 2) % d.each !== 0
      ? {
          what: `${d.channels} channels of squares of ${d.side} in groups of ${d.each}`,
          fix: 'give a side of at least 1, and groups that divide side^2 channels',
        }
      : undefined,
});
