import { type Caps, FixableError, oneOf, optional } from '../kernel/index.ts';
import { TensorError } from './errors.ts';
import type { Tensor } from './tensor.ts';

/**
 * How passes through a network compute. f32: all of it. f32x3: products of f32 tensors by three products of halves each, to the accuracy of
 * f32. mixed: what a network casts to `tape.dtype` is stored as f16, and its products take f16 operands, as convolutions of f32 tensors do on
 * subgroup matrices; sums, statistics, weights and their gradients are f32.
 */
export const PRECISIONS = ['f32', 'f32x3', 'mixed'] as const;

export type PassPrecision = (typeof PRECISIONS)[number];

/** The option `precision`, checked. */
export const precisionOption = optional(oneOf(...PRECISIONS));

/** A precision that a device or a network does not have. */
export class PrecisionError extends FixableError {
  override readonly name = 'PrecisionError';
}

/** @throws PrecisionError for mixed passes through a network that has none in f16. */
export function checkNetworkPrecision(
  precision: PassPrecision,
  network: { readonly halves?: boolean | 'products' },
): void {
  if (precision === 'mixed' && !network.halves)
    throw new PrecisionError('precision mixed: this network has no form in f16', 'use precision f32 or f32x3');
}

/** @throws PrecisionError for mixed passes where the device stores no f16, or the network has none in f16. */
export function checkPrecision(
  precision: PassPrecision,
  caps: Caps,
  network: { readonly halves?: boolean | 'products' },
): void {
  checkNetworkPrecision(precision, network);
  if (precision === 'mixed' && !caps.f16)
    throw new PrecisionError(
      'precision mixed: the device has no shader-f16',
      'request the feature shader-f16 where the adapter has it, or use precision f32',
    );
}

/** How a tensor of real numbers is stored, as kernels are told. @throws TensorError for one of other numbers. */
export function storedAs({ dtype, shape }: Tensor): 'f32' | 'f16' {
  if (dtype === 'f32' || dtype === 'f16') return dtype;
  throw new TensorError(`[${shape}] holds ${dtype}`, 'give a tensor of f32 or f16');
}
