/** When attention runs on subgroup matrices. */
import type { Caps } from '../kernel/index.ts';
import { type AttentionShape, MAX_TILED, MOST_STORED } from './attention_tile.ts';
import { hasMatrices } from './matrix_tile.ts';

/** Columns of a head up to which the backward holds what it needs of it in registers. */
export const MAX_MATRIX_BACKWARD = 80;

const matricesOf = (headDim: number) => Math.ceil(headDim / 16);

/** Bytes of workgroup memory: scores, `staged` times sixteen rows of a head, and what invocations share. */
const memory = (headDim: number, staged: number) =>
  8 * 16 * 9 * 16 + staged * 16 * (2 * matricesOf(headDim) + 1) * 16 + 1024;

/** Elements of the gradients by scores that the backward stores. */
export const storedScores = (d: { batch: number; heads: number; keys: number; n: number }): number =>
  d.batch * d.heads * d.keys * Math.ceil(d.n / 8) * 8;

/**
 * Whether the kernels of `attention_matrix.ts` serve a shape on a device, forward and backward, where tensors are f16 and nothing hides a
 * key. Heads are multiples of 8 columns, and those of v as wide as those of q.
 */
export function attentionOnMatrices(shape: AttentionShape, caps: Caps): { forward: boolean; backward: boolean } {
  const { batch, heads, n, head_dim, keys = n, value_dim = head_dim } = shape;
  const forward =
    hasMatrices(caps) &&
    head_dim % 8 === 0 &&
    head_dim <= MAX_TILED &&
    value_dim === head_dim &&
    n >= 16 &&
    memory(head_dim, 4) <= caps.maxWorkgroupMemory;
  const backward =
    forward &&
    head_dim <= MAX_MATRIX_BACKWARD &&
    memory(head_dim, 8) <= caps.maxWorkgroupMemory &&
    2 * storedScores({ batch, heads, keys, n }) <= Math.min(MOST_STORED, caps.maxBinding);
  return { forward, backward };
}
