import { patchify as patchifyKernel, unpatchify as unpatchifyKernel } from '../../kernels/patch.ts';
import { resizeRows } from '../../kernels/resize.ts';
import type { Tensor } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

/** Order of the numbers within a patch: that of a convolution's weight, or that of the final layer. */
export type PatchOrder = 'chw' | 'hwc';

/** Cuts images into patches: [B, C, H, W] -> [B, (H/p)(W/p), p p C], patches row-major. */
export function patchify(tape: Tape, x: Tensor, patch: number, order: PatchOrder): Tensor {
  const { device } = tape.workspace;
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const dims = { batch, channels, height, width, patch_size: patch };
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

/**
 * The inverse: [B, (H/p)(W/p), p p C] -> [B, C, H, W]; of the channels the first `keep` stay (the velocity, where a network
 * also predicts a variance).
 */
export function unpatchify(
  tape: Tape,
  tokens: Tensor,
  image: readonly [channels: number, height: number, width: number],
  patch: number,
  order: PatchOrder,
  keep = image[0],
): Tensor {
  const { device } = tape.workspace;
  const [channels, height, width] = image;
  const batch = tokens.shape[0] as number;
  const dims = { batch, channels, height, width, patch_size: patch };
  const whole = tape.alloc(batch, channels, height, width);
  tape.run(unpatchifyKernel.prepare(device, { order }), { tokens, x: whole }, dims);
  const cut =
    keep === channels
      ? undefined
      : { rows: batch, cols_in: channels * height * width, cols_out: keep * height * width };
  let x = whole;
  if (cut) {
    x = tape.alloc(batch, keep, height, width);
    tape.run(resizeRows.prepare(device), { x: whole, out: x }, cut);
    tape.release(whole);
  }
  return tape.push({
    op: 'unpatchify',
    inputs: [tokens],
    output: x,
    saved: [],
    vjp: (dx, sink) =>
      sink.give(tokens, (dtokens) => {
        let full = dx;
        if (cut) {
          full = tape.alloc(batch, channels, height, width);
          tape.run(
            resizeRows.prepare(device),
            { x: dx, out: full },
            { rows: batch, cols_in: cut.cols_out, cols_out: cut.cols_in },
          );
        }
        tape.run(patchifyKernel.prepare(device, { order }), { x: full, tokens: dtokens }, dims);
        if (cut) tape.release(full);
      }),
  });
}
