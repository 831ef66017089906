import { linear } from '../autograd/ops/linear.ts';
import { Tape } from '../autograd/tape.ts';
import type { Workspace } from '../tensor/index.ts';
import type { Interruptible } from './embed.ts';

/** Bytes of a block of products that are on the device, and copied to the host, at a time. */
const BLOCK_BYTES = 32 * 2 ** 20;

/**
 * All inner products of the rows of `a` [n, dim] with those of `b` [m, dim], in blocks of whole rows of a: `visit(first, block)`
 * gets [rows, m] from row `first` on, for as long as it runs.
 */
export async function products(
  workspace: Workspace,
  a: Float32Array<ArrayBuffer>,
  b: Float32Array<ArrayBuffer>,
  dim: number,
  visit: (first: number, block: Float32Array) => void,
  { signal }: Interruptible = {},
): Promise<void> {
  const [n, m] = [a.length / dim, b.length / dim];
  const rows = Math.max(1, Math.min(n, Math.floor(BLOCK_BYTES / 4 / m)));
  const right = workspace.create('data', 'features', [m, dim]);
  try {
    for (let first = 0; first < n; first += rows) {
      signal?.throwIfAborted();
      const here = Math.min(rows, n - first);
      await workspace.task(async () => {
        workspace.beginStep();
        if (first === 0) workspace.stream.write(right, b);
        const tape = new Tape(workspace, { record: false });
        const left = tape.alloc(here, dim);
        workspace.stream.write(left, a.subarray(first * dim, (first + here) * dim));
        await workspace.readInPlace(linear(tape, left, right), (block) => visit(first, block));
      });
    }
  } finally {
    workspace.free(right);
  }
}

/** Squared length of every row of `a` [n, dim]. */
export function squaredNorms(a: Float32Array, dim: number): Float64Array {
  const out = new Float64Array(a.length / dim);
  for (let i = 0; i < a.length; i++) {
    const row = Math.floor(i / dim);
    out[row] = (out[row] as number) + (a[i] as number) ** 2;
  }
  return out;
}
