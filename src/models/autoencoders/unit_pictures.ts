import { conv2d } from '../../autograd/ops/convolution.ts';
import type { Tape } from '../../autograd/tape.ts';
import type { Weights } from '../../nn/network.ts';
import type { Tensor } from '../../tensor/index.ts';
import type { NetworkTensor } from './architecture.ts';

const CHANNELS = 3;
const ONE = { size: [1, 1] } as const;

const constant = (name: string, values: readonly number[], shape: readonly number[]): NetworkTensor => ({
  name,
  shape,
  of: [],
  arrange: () => Float32Array.from(values),
});
const times = (factor: number) =>
  Array.from({ length: CHANNELS ** 2 }, (_, i) => (i % (CHANNELS + 1) === 0 ? factor : 0));

/** What brings pictures of -1..1 to 0..1 and back, for networks that have them so: convolutions of one pixel. */
export const unitTensors: readonly NetworkTensor[] = [
  constant('to_unit.weight', times(0.5), [CHANNELS, CHANNELS]),
  constant('to_unit.bias', [0.5, 0.5, 0.5], [CHANNELS]),
  constant('from_unit.weight', times(2), [CHANNELS, CHANNELS]),
  constant('from_unit.bias', [-1, -1, -1], [CHANNELS]),
];

/** (x + 1) / 2: [B, H, W, 3] -> same shape. */
export const toUnit = (tape: Tape, w: Weights, x: Tensor): Tensor =>
  conv2d(tape, x, w.get('to_unit.weight'), w.get('to_unit.bias'), ONE);

/** 2x - 1: [B, H, W, 3] -> same shape. */
export const fromUnit = (tape: Tape, w: Weights, x: Tensor): Tensor =>
  conv2d(tape, x, w.get('from_unit.weight'), w.get('from_unit.bias'), ONE);
