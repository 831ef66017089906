import { activate, add, embedding, linear, type Tape, type VelocityNetwork } from '../../src/nn/index.ts';
import type { MeanVelocity } from '../reference/index.ts';

/** Sizes of a network of two times that f64 follows, and of a batch. */
export const [N, CLASSES, BATCH] = [8, 3, 5];

/** F = tanh(A x + t b + (t - s) c + e_y), on the device. */
export const small: VelocityNetwork = {
  parameters: [
    { name: 'a', shape: [N, N], init: 'xavier' },
    { name: 'b', shape: [N, 1], init: 'xavier' },
    { name: 'c', shape: [N, 1], init: 'xavier' },
    { name: 'e', shape: [CLASSES + 1, N], init: 'normal0.02' },
  ],
  constants: [],
  input: [2, 2, 2],
  numClasses: CLASSES,
  twoTimes: true,
  forward(tape: Tape, weights, x, t, y, span) {
    const batch = x.shape[0] as number;
    const image = linear(tape, x.view(batch, N), weights.get('a'));
    const timed = add(tape, image, linear(tape, t.view(batch, 1), weights.get('b')));
    const both = add(tape, timed, linear(tape, (span as typeof t).view(batch, 1), weights.get('c')));
    return activate(tape, add(tape, both, embedding(tape, weights.get('e'), y)), 'tanh').view(...x.shape);
  },
};
export const SIZES = small.parameters.map(({ name, shape }) => ({ name, size: shape.reduce((p, n) => p * n, 1) }));

/** The same in f64, of all its weights in a row. */
export function inF64(w: ArrayLike<number>): MeanVelocity {
  const [b, c, e] = [N * N, N * N + N, N * N + 2 * N];
  return (x, t, s, label) =>
    Float64Array.from({ length: N }, (_, i) => {
      let sum = t * (w[b + i] as number) + (t - s) * (w[c + i] as number) + (w[e + label * N + i] as number);
      x.forEach((value, k) => {
        sum += (w[i * N + k] as number) * value;
      });
      return Math.tanh(sum);
    });
}

export const byName = (flat: ArrayLike<number>) => {
  let at = 0;
  return new Map(SIZES.map(({ name, size }) => [name, Float32Array.from(flat).slice(at, (at += size))] as const));
};
