import type { Caps } from '../kernel/index.ts';
import { hasMatrices } from '../kernels/matmul_matrix.ts';
import type { PassPrecision } from '../tensor/index.ts';
import type { Module } from './network.ts';

/** What is worth saying of a precision on a device, for a network with such a form in f16: that it is not faster there. */
export function precisionNotice(
  precision: PassPrecision,
  caps: Caps,
  { halves }: Pick<Module, 'halves'>,
): string | undefined {
  if (precision === 'f32' || hasMatrices(caps)) return undefined;
  if (precision === 'f32x3')
    return 'precision f32x3: the device has no subgroup matrices, so products are those of f32';
  return halves === 'products'
    ? 'precision mixed: the device has no subgroup matrices, so convolutions are those of f32; it saves neither time nor memory'
    : 'precision mixed: the device has no subgroup matrices, so products of f16 tensors are multiplied in f32; it saves memory, not time';
}
