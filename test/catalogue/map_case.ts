import { randn } from '../reference/index.ts';
import type { KernelCase, PreparedCase } from './case.ts';

export const floats = (count: number, seed: number) => Float32Array.from(randn(count, seed));
const MAP = { tolerance: 2e-6, toleranceFrom: 'f32 rounding and the few ulp that WGSL allows exp, 16 ulp' };
export const EXACT = { tolerance: 0, toleranceFrom: 'numbers are moved, none changes' };

/** A case whose kernel reads and writes so many numbers. */
export function mapCase(
  kernel: string,
  variant: string,
  shape: readonly number[],
  words: number,
  prepare: (device: GPUDevice) => PreparedCase,
  extra: Partial<KernelCase> = {},
): KernelCase {
  return {
    kernel,
    name: `${variant} ${shape.join('x')}`,
    variant,
    shape,
    ...MAP,
    flops: words,
    bytes: 4 * words,
    prepare,
    ...extra,
  };
}
