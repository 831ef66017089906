import { defineKernel, flag, group, groupsOf, oneOf, optional } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

/** The order of numbers in a patch. */
export interface PatchOptions {
  /** Order within a token: (channel, row, column), or (row, column, channel). */
  order: 'chw' | 'hwc';
}

const options = group<PatchOptions>({ order: oneOf('chw', 'hwc') });

interface ImageDims {
  batch: number;
  channels: number;
  height: number;
  width: number;
  patch_size: number;
}

const elements = (d: ImageDims) => d.batch * d.channels * d.height * d.width;

function check(d: ImageDims): { what: string; fix: string } | undefined {
  if (d.patch_size === 0 || d.height % d.patch_size !== 0 || d.width % d.patch_size !== 0) {
    return {
      what: `patch ${d.patch_size} does not divide ${d.height} x ${d.width}`,
      fix: 'choose a patch size that divides the image',
    };
  }
  return undefined;
}

/** Images to patches. Buffers f32: x [batch, channels, height, width] -> tokens [batch, patches, channels patch patch]. */
export const patchify = defineKernel({
  shader: shaders.patchify,
  options,
  knobs: (o: PatchOptions) => ({ HWC: o.order === 'hwc' }),
  sizes: (d) => ({ x: elements(d), tokens: elements(d) }),
  grid: (d, k) => groupsOf(elements(d), k, 4),
  check,
});

/** Patches to images: the inverse of patchify, and its backward. */
export const unpatchify = defineKernel({
  shader: shaders.unpatchify,
  options,
  knobs: (o: PatchOptions) => ({ HWC: o.order === 'hwc' }),
  sizes: (d) => ({ tokens: elements(d), x: elements(d) }),
  grid: (d, k) => groupsOf(elements(d), k, 4),
  check,
});

export interface ChannelsLastOptions {
  /** From channels last to channels first, leaving out the ones. */
  back?: boolean;
}

/**
 * Images from channels first, x [batch, channels, pixels], to channels last, out [batch, pixels, channels + ones], with so many more
 * channels of 1; or back. f32. See shaders/channels_last.wgsl.
 */
export const channelsLast = defineKernel({
  shader: shaders.channels_last,
  options: group<ChannelsLastOptions>({ back: optional(flag) }),
  knobs: (o: ChannelsLastOptions | undefined) => ({ BACK: o?.back ?? false }),
  sizes: (d, k) => {
    const [first, last] = [d.channels, d.channels + d.ones].map((channels) => d.batch * channels * d.pixels) as [
      number,
      number,
    ];
    return k.BACK ? { x: last, out: first } : { x: first, out: last };
  },
  grid: (d, k) => groupsOf(d.batch * d.pixels * (d.channels + (k.BACK ? 0 : d.ones)), k),
  check: (d) => (d.channels === 0 ? { what: 'there are no channels', fix: 'give at least 1' } : undefined),
});
