import { STREAM, uniformU32 } from '../rng/philox.ts';
import type { Workspace } from '../tensor/index.ts';
import type { Interruptible } from './embed.ts';
import { MetricError } from './errors.ts';
import { products } from './products.ts';
import { copyRows } from './rows.ts';

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
    const both = new Float32Array(2 * size * dim);
    copyRows(one, dim, subset(n, size, seed, 2 * s), both);
    copyRows(two, dim, subset(m, size, seed, 2 * s + 1), both.subarray(size * dim));
    const { within, between } = await kernelSums(workspace, both, dim, control);
    total += within / (size * (size - 1)) - between / size ** 2;
  }
  return total / subsets;
}

/**
 * Of the rows of two sets of one size, one after the other in `both`: sums of the kernel over ordered pairs, of different rows of one set,
 * and of rows of two.
 */
async function kernelSums(
  workspace: Workspace,
  both: Float32Array<ArrayBuffer>,
  dim: number,
  control: Interruptible,
): Promise<{ within: number; between: number }> {
  const rows = both.length / dim;
  const half = rows / 2;
  let [within, between] = [0, 0];
  const add = (first: number, block: Float32Array) => {
    const sum = (from: number) => {
      let total = 0;
      for (let i = from; i < from + half; i++) total += kernel(block[i] as number, dim);
      return total;
    };
    for (let at = 0, row = first; at < block.length; at += rows, row++) {
      const [own, other] = row < half ? [at, at + half] : [at + half, at];
      within += sum(own) - kernel(block[at + row] as number, dim); // but the row with itself
      between += sum(other);
    }
  };
  await products(workspace, both, both, dim, add, control);
  return { within, between };
}

function kernel(product: number, dim: number): number {
  const v = product / dim + 1;
  return v * v * v;
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
