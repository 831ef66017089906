import { patchify as patchifyKernel, unpatchify as unpatchifyKernel } from '../../kernels/patch.ts';
import type { Tensor } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

/** Order of the numbers within a patch: that of a convolution's weight, or that of the final layer. */
export type PatchOrder = 'chw' | 'hwc';

/** Cuts images into patches: [B, C, H, W] -> [B, (H/p)(W/p), p p C], patches row-major. */
export function patchify(tape: Tape, x: Tensor, patch: number, order: PatchOrder): Tensor {
  const { device } = tape.workspace;
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const dims = { batch, channels, height, width, patch };
  const tokens = tape.alloc(batch, (height / patch) * (width / patch), patch * patch * channels);
  tape.run(patchifyKernel.prepare(device, { order }), { x, tokens }, dims);
  return tape.push({
    op: 'patchify',
    inputs: [x],
    output: tokens,
    saved: [],
    vjp: (dtokens, sink) =>
      sink.give(x, (dx) => tape.run(unpatchifyKernel.prepare(device, { order }), { tokens: dtokens, x: dx }, dims)),
  });
}

/** The inverse: [B, (H/p)(W/p), p p C] -> [B, C, H, W]. */
export function unpatchify(tape: Tape, tokens: Tensor, image: readonly [channels: number, height: number, width: number], patch: number, order: PatchOrder): Tensor {
  const { device } = tape.workspace;
  const [channels, height, width] = image;
  const batch = tokens.shape[0] as number;
  const dims = { batch, channels, height, width, patch };
  const x = tape.alloc(batch, channels, height, width);
  tape.run(unpatchifyKernel.prepare(device, { order }), { tokens, x }, dims);
  return tape.push({
    op: 'unpatchify',
    inputs: [tokens],
    output: x,
    saved: [],
    vjp: (dx, sink) =>
      sink.give(tokens, (dtokens) => tape.run(patchifyKernel.prepare(device, { order }), { x: dx, tokens: dtokens }, dims)),
  });
}
