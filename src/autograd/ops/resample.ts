import { filterDown, filterUp } from '../../kernels/filter.ts';
import { type Tensor, TensorError } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

/** Most taps of a filter. */
const MOST_TAPS = 8;

/**
 * Images filtered and resampled by 2: x [B, H, W, C] -> [B, H/2, W/2, C], or [B, 2H, 2W, C]. `filter` are an even number of taps, of
 * rows and of columns, scaled to the sum 1; up is the transpose of down times 4: [1, 1] is the mean of 2 x 2, and nearest-neighbour
 * doubling. `padding` zeros lie around the larger image, so many that the smaller one is its half if left out. Karras et al. 2022.
 * @throws TensorError
 */
export function resample(
  tape: Tape,
  x: Tensor,
  filter: readonly number[],
  to: 'down' | 'up',
  padding = Math.floor((filter.length - 1) / 2),
): Tensor {
  const { device } = tape.workspace;
  const [batch, h, w, channels] = x.shape as [number, number, number, number];
  if (filter.length === 0 || filter.length % 2 !== 0 || filter.length > MOST_TAPS)
    throw new TensorError(`resample: a filter of ${filter.length} taps`, `give an even number, up to ${MOST_TAPS}`);
  if (to === 'down' && (h % 2 !== 0 || w % 2 !== 0))
    throw new TensorError(`resample: [${x.shape}] has no half`, 'give images of an even height and width');
  const more = 2 * padding - filter.length + 2; // twice what the smaller image has beside half the larger
  const [height, width] = to === 'down' ? [(h + more) / 2, (w + more) / 2] : [h, w];
  const [large_h, large_w] = to === 'down' ? [h, w] : [2 * h - more, 2 * w - more];
  const sum = filter.reduce((total, tap) => total + tap, 0);
  const taps = Object.fromEntries(filter.map((tap, i) => [`tap${i}`, tap / sum])) as { tap0: number; tap1: number };
  const dims = { batch, height, width, large_h, large_w, channels, before: padding, ...taps };
  const options = { length: filter.length as 2 | 4 | 6 | 8 };
  const [down, up] = [filterDown.prepare(device, options), filterUp.prepare(device, options)];
  const out = tape.alloc(batch, ...(to === 'down' ? [height, width] : [large_h, large_w]), channels);
  if (to === 'down') tape.run(down, { x, out }, dims);
  else tape.run(up, { x, out }, { ...dims, scale: 4 });
  return tape.push({
    op: 'resample',
    inputs: [x],
    output: out,
    saved: [],
    vjp: (dout, sink) =>
      sink.give(x, (dx) => {
        if (to === 'down') tape.run(up, { x: dout, out: dx }, dims);
        else tape.run(down, { x: dout, out: dx }, { ...dims, scale: 4 });
      }),
  });
}
