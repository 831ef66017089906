import { channelsLast as kernel } from '../../kernels/patch.ts';
import type { Tensor } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

/** Images x [B, C, H, W] -> [B, H, W, C + ones], the last so many channels being 1. */
export function channelsLast(tape: Tape, x: Tensor, ones = 0): Tensor {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  return turned(tape, x, [batch, height, width, channels + ones], { channels, ones, back: false });
}

/** Images x [B, H, W, C] -> [B, C, H, W]. */
export function channelsFirst(tape: Tape, x: Tensor): Tensor {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  return turned(tape, x, [batch, channels, height, width], { channels, ones: 0, back: true });
}

function turned(
  tape: Tape,
  x: Tensor,
  shape: readonly number[],
  { channels, ones, back }: { channels: number; ones: number; back: boolean },
): Tensor {
  const { device } = tape.workspace;
  const batch = shape[0] as number;
  const pixels = x.count / batch / channels;
  const dims = { batch, channels, pixels, ones };
  const out = tape.alloc(batch, ...shape.slice(1));
  tape.run(kernel.prepare(device, { back }), { x, out }, dims);
  return tape.push({
    op: back ? 'channelsFirst' : 'channelsLast',
    inputs: [x],
    output: out,
    saved: [],
    vjp: (dout, sink) =>
      sink.give(x, (dx) => tape.run(kernel.prepare(device, { back: !back }), { x: dout, out: dx }, dims)),
  });
}
