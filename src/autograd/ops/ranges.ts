import { largest } from '../../kernels/largest.ts';
import { RANGE_WORDS, type Tensor } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

/** The largest magnitudes of both operands of a product in f32x3, as its kernel takes them. Each is read where it is not known yet. */
export function rangesOf(tape: Tape, a: Tensor, b: Tensor): { ranges: Tensor; range_a: number; range_b: number } {
  const [range_a, range_b] = [rangeOf(tape, a), rangeOf(tape, b)];
  return { ranges: tape.workspace.ranges.words, range_a, range_b };
}

function rangeOf(tape: Tape, x: Tensor): number {
  const { device, ranges } = tape.workspace;
  const known = ranges.of(x);
  if (known !== undefined) return known;
  const { pack } = x.storage;
  const weight = pack?.members.findIndex(({ offset, count }) => offset === x.offset && count === x.count) ?? -1;
  if (pack && weight >= 0) {
    // Weights change all at once: what one of them needs, the others will.
    const tensors = pack.members.length;
    const first = ranges.add(...pack.members);
    const out = ranges.words.slice(first * RANGE_WORDS, tensors * RANGE_WORDS);
    const dims = { count: pack.whole.count, tensors };
    const kernel = largest.prepare(device, { places: true }, dims);
    tape.run(kernel, { x: pack.whole, places: pack.places, out }, dims);
    return first + weight;
  }
  const { count } = x;
  const place = ranges.add(x);
  const out = ranges.words.slice(place * RANGE_WORDS, RANGE_WORDS);
  tape.run(largest.prepare(device, undefined, { count }), { x, out }, { count });
  return place;
}
