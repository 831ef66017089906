/** Sizes of attention that its kernels share: dims, rows, and what is wrong with them. */
import type { KnobValue } from '../kernel/index.ts';
import type { AttentionShape } from './attention_tile.ts';

/** Numbers that the kernels are given beside the sizes. */
export interface AttentionNumbers {
  /** Factor of q . k; 1 / sqrt(head_dim) if left out. */
  scale?: number;
  /** With causal: 0 if left out. */
  offset?: number;
  softcap?: number;
  /** Sizes of the mask before its keys, each 1 or the scores'; all 1 if left out. */
  mask?: readonly [batch: number, heads: number, n: number];
}

/** The dims of the kernels for a shape. */
export function attentionDims(
  shape: AttentionShape,
  { scale, offset = 0, softcap = 0, mask: [mask_batch, mask_heads, mask_n] = [1, 1, 1] }: AttentionNumbers = {},
) {
  const { batch, heads, n, head_dim, keys = n, kv_heads = heads } = shape;
  const masks = { mask_batch, mask_heads, mask_n };
  return { batch, heads, kv_heads, n, keys, head_dim, scale: scale ?? head_dim ** -0.5, offset, softcap, ...masks };
}

/** The dims of a kernel of scores. */
export type AttentionSizes = ReturnType<typeof attentionDims>;
/** Those of any. */
export type Counts = Pick<AttentionSizes, 'batch' | 'heads' | 'kv_heads' | 'n' | 'keys' | 'head_dim'>;
export type Knobs = Readonly<Record<string, KnobValue>>;

export const queryRows = (d: Pick<Counts, 'batch' | 'heads' | 'n'>) => d.batch * d.heads * d.n;
export const keyRows = (d: Counts) => d.batch * d.kv_heads * d.keys;

export type Wrong = { what: string; fix: string } | undefined;

/** What is wrong with counts and sizes. */
export function checkSizes(d: Counts, k: Knobs): Wrong {
  const headDim = k.HEAD_DIM as number;
  if (d.head_dim !== headDim)
    return {
      what: `head_dim ${d.head_dim} is not the kernel's ${headDim}`,
      fix: 'create the kernel with this headDim',
    };
  if (d.n === 0) return { what: 'n is 0', fix: 'give at least one token' };
  if (d.keys === 0) return { what: 'keys is 0', fix: 'give at least one key' };
  if (d.kv_heads === 0 || d.heads % d.kv_heads !== 0)
    return { what: `${d.heads} heads do not share ${d.kv_heads}`, fix: 'give heads a multiple of kv_heads' };
  if (!k.GROUPED && d.heads !== d.kv_heads)
    return { what: `kv_heads is ${d.kv_heads} of ${d.heads} heads`, fix: 'create the kernel with grouped' };
  return undefined;
}
