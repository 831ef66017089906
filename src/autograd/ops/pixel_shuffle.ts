import { pixelGather } from '../../kernels/pixel_shuffle.ts';
import { type Tensor, TensorError } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

/**
 * Squares of pixels as channels, and means of `each` neighbouring ones: x [B, H, W, C] -> [B, H/side, W/side, side^2 C / each]. Channel c of
 * place (dy, dx) is (c side + dy) side + dx. With side 1 means of channels alone. Shi et al. 2016; Chen et al. 2025.
 */
export function pixelUnshuffle(tape: Tape, x: Tensor, side: number, each = 1): Tensor {
  const [batch, large_h, large_w, channels] = x.shape as [number, number, number, number];
  const [height, width] = [large_h / side, large_w / side];
  if (!Number.isInteger(height) || !Number.isInteger(width))
    throw new TensorError(`pixelUnshuffle: [${x.shape}] has no squares of ${side}`, 'give images of whole squares');
  const dims = { batch, height, width, channels, side, each, scale: 1 / each };
  return gathered(tape, x, [batch, height, width, (side * side * channels) / each], dims, false);
}

/** The other way, each channel of x being `each` of them: x [B, H, W, side^2 C / each] -> [B, side H, side W, C]. */
export function pixelShuffle(tape: Tape, x: Tensor, side: number, each = 1): Tensor {
  const [batch, height, width, narrow] = x.shape as [number, number, number, number];
  const channels = (narrow * each) / (side * side);
  if (!Number.isInteger(channels))
    throw new TensorError(
      `pixelShuffle: ${narrow} channels, ${each} times, are no squares of ${side}`,
      'give channels of whole squares',
    );
  const dims = { batch, height, width, channels, side, each, scale: 1 };
  return gathered(tape, x, [batch, side * height, side * width, channels], dims, true);
}

type Dims = Record<'batch' | 'height' | 'width' | 'channels' | 'side' | 'each' | 'scale', number>;

function gathered(tape: Tape, x: Tensor, shape: readonly number[], dims: Dims, up: boolean): Tensor {
  const { device } = tape.workspace;
  const out = tape.alloc(...shape);
  tape.run(pixelGather.prepare(device, { up }), { x, out }, dims);
  return tape.push({
    op: up ? 'pixelShuffle' : 'pixelUnshuffle',
    inputs: [x],
    output: out,
    saved: [],
    vjp: (dout, sink) =>
      sink.give(x, (dx) => tape.run(pixelGather.prepare(device, { up: !up }), { x: dout, out: dx }, dims)),
  });
}
