/** How a case of a convolution comes to subgroup matrices. */
import type { MatrixConvTile, matrixConv2d, matrixConv2dBackwardWeight } from '../../src/kernels/conv_matrix.ts';
import { halves, type Stored } from './case.ts';

/** On subgroup matrices: the tile, how x is stored, and how the other operand; the families, where they are not the real ones. */
export interface MatrixHow {
  tile: MatrixConvTile;
  dtype?: Stored;
  other?: Stored;
  conv?: typeof matrixConv2d;
  weight?: typeof matrixConv2dBackwardWeight;
}

/** What products on matrices round to f16, rounded already, so that the oracle sees what they multiply. */
export const multiplied = (matrix: MatrixHow | undefined, values: Float32Array<ArrayBuffer>) =>
  matrix ? halves(values) : values;

/** Those of the buffers that hold halves. */
export const halvesOf = ({ dtype, other }: MatrixHow, second: 'weight' | 'dy') => [
  ...(dtype === 'f16' ? ['x', 'x2'] : []),
  ...(other === 'f16' ? [second] : []),
];

/**
 * The weights of each part of k into which a tile cuts it, of the others 0; all of them where it does not. @param at where in k number i is.
 */
export function weightParts(
  matrix: MatrixHow | undefined,
  weight: Float32Array,
  k: number,
  at: (i: number) => number,
): Float32Array[] {
  const { splits = 1 } = matrix?.tile ?? {};
  if (splits === 1) return [weight];
  const length = Math.ceil(k / splits / 32) * 32;
  return Array.from({ length: splits }, (_, part) =>
    weight.map((v, i) => (Math.floor(at(i) / length) === part ? v : 0)),
  );
}
