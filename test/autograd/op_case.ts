import type { Tape } from '../../src/autograd/tape.ts';
import type { Tensor } from '../../src/tensor/index.ts';
import { randn } from '../reference/index.ts';
import type { gradcheck, Shapes } from './gradcheck.ts';

export type Inputs = { [name: string]: Tensor };
type Fixed = Parameters<typeof gradcheck>[2];

/** An op, and how its gradient is checked. */
export interface OpCase {
  ops: string[];
  name: string;
  shapes: Shapes;
  build: (tape: Tape, i: Inputs) => Tensor;
  fixed?: Fixed;
}

export const get = (inputs: Inputs, name: string) => inputs[name] as Tensor;
export const chunk = (i: Inputs, offset: number, rows: number) => ({ from: get(i, 'm'), offset, rows });
export const table = (...shape: number[]) => ({
  shape,
  data: Float32Array.from(
    randn(
      shape.reduce((a, b) => a * b, 1),
      77,
    ),
  ),
});
