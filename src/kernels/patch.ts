import { defineKernel, group, groupsOf, oneOf } from '../kernel/index.ts';
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
