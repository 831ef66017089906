import { STREAM, uniformU32 } from '../rng/philox.ts';
import type { Workspace } from '../tensor/index.ts';
import type { Interruptible } from './embed.ts';
import { MetricError } from './errors.ts';
import { products } from './products.ts';

const SUBSETS = 100;
const SUBSET_SIZE = 1000;

/**
 * Kernel inception distance: the unbiased squared maximum mean discrepancy with the kernel (x.y / dim + 1)^3, the mean over 100
 * subsets of 1,000 (Binkowski et al. 2018). Features [n, dim] of both sets; smaller sets are used whole, once.
 * The subsets follow from `seed`.
 */
export async function kernelDistance(
  workspace: Workspace,
  one: Float32Array<ArrayBuffer>,
  two: Float32Array<ArrayBuffer>,
  dim: number,
  seed = 0,
  control: Interruptible = {},
): Promise<number> {
  const [n, m] = [one.length / dim, two.length / dim];
  const size = Math.min(SUBSET_SIZE, n, m);
  if (size < 2) throw new MetricError(`a kernel distance of ${size} images`, 'give at least two of both sets');
  const subsets = size < SUBSET_SIZE ? 1 : SUBSETS;
  let total = 0;
  for (let s = 0; s < subsets; s++) {
    const x = rowsOf(one, dim, subset(n, size, seed, 2 * s));
    const y = rowsOf(two, dim, subset(m, size, seed, 2 * s + 1));
    const [within1, within2, between] = [
      await kernelSum(workspace, x, x, dim, true, control),
      await kernelSum(workspace, y, y, dim, true, control),
      await kernelSum(workspace, x, y, dim, false, control),
    ];
    total += (within1 + within2) / (size * (size - 1)) - (2 * between) / size ** 2;
  }
  return total / subsets;
}

/** Sum of the kernel over all pairs; over pairs of different rows where both sets are one. */
async function kernelSum(
  workspace: Workspace,
  x: Float32Array<ArrayBuffer>,
  y: Float32Array<ArrayBuffer>,
  dim: number,
  same: boolean,
  control: Interruptible,
) {
  const m = y.length / dim;
  const kernel = (product: number) => {
    const v = product / dim + 1;
    return v * v * v;
  };
  let sum = 0;
  const add = (first: number, block: Float32Array) => {
    for (let i = 0; i < block.length; i++) sum += kernel(block[i] as number);
    if (same) for (let row = 0; row < block.length / m; row++) sum -= kernel(block[row * m + first + row] as number);
  };
  await products(workspace, x, y, dim, add, control);
  return sum;
}

/** `size` different rows of n: the first of a shuffle. */
function subset(n: number, size: number, seed: number, round: number): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < size; i++) {
    const j = i + (uniformU32(seed, STREAM.data, round, i) % (n - i));
    const swap = order[i] as number;
    order[i] = order[j] as number;
    order[j] = swap;
  }
  return order.subarray(0, size);
}

function rowsOf(a: Float32Array, dim: number, rows: Uint32Array): Float32Array<ArrayBuffer> {
  const out = new Float32Array(rows.length * dim);
  rows.forEach((row, i) => {
    out.set(a.subarray(row * dim, (row + 1) * dim), i * dim);
  });
  return out;
}
