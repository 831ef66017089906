import type { Caps } from '../kernel/index.ts';
import { hasMatrices } from '../kernels/matmul_matrix.ts';
import type { PassPrecision } from '../tensor/index.ts';

/** What is worth saying of a precision on a device: that it is not faster there. */
export function precisionNotice(precision: PassPrecision, caps: Caps): string | undefined {
  if (precision === 'f32' || hasMatrices(caps)) return undefined;
  return precision === 'mixed'
    ? 'precision mixed: the device has no subgroup matrices, so products of f16 tensors are multiplied in f32; it saves memory, not time'
    : 'precision f32x3: the device has no subgroup matrices, so products are those of f32';
}
