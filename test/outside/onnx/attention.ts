import { qkNormRope } from '../../../src/kernels/qk_norm_rope.ts';
import type { Tensor } from '../../../src/tensor/index.ts';
import { type HostTensor, need } from '../case.ts';
import { attend, batched, MAX_HEAD_DIM } from '../products.ts';
import { concat, expand, pad, permute, slice, take, tensor, scale as times } from '../tensors.ts';
import type { Adapters, Context } from './context.ts';
import { type Masks, maskOf, withMasks } from './masks.ts';

/** q, k or v as [B, heads, n, head_dim] on the host. */
function heads(
  { shape, data }: HostTensor,
  count: number,
): { shape: [number, number, number, number]; data: ArrayLike<number> } {
  if (shape.length === 4) return { shape: shape as [number, number, number, number], data };
  need(shape.length === 3 && count > 0, `a projection [${shape}] of ${count} heads`);
  const [batch, n, width] = shape as [number, number, number];
  const dim = width / count;
  const moved = new Float32Array(data.length).map((_, i) => {
    const [b, h, t, d] = [
      Math.floor(i / (n * width)),
      Math.floor(i / (n * dim)) % count,
      Math.floor(i / dim) % n,
      i % dim,
    ];
    return data[(b * n + t) * width + h * dim + d] as number;
  });
  return { shape: [batch, count, n, dim], data: moved };
}

function attention(c: Context): (Tensor | undefined)[] {
  const o = c.attributes({
    is_causal: 0,
    kv_num_heads: 0,
    q_num_heads: 0,
    qk_matmul_output_mode: 0,
    scale: Number.NaN,
    softcap: 0,
    softmax_precision: 1,
  });
  need(o.softcap === 0, 'soft cap of the scores');
  need(o.softmax_precision === 1, 'softmax in another precision');
  const q = heads(c.host(0), o.q_num_heads);
  const [kNow, vNow] = [heads(c.host(1), o.kv_num_heads), heads(c.host(2), o.kv_num_heads)];
  const upload = (t: { shape: readonly number[]; data: ArrayLike<number> }) => tensor(c.tape, t.shape, t.data);
  const past = c.has(4) ? (c.host(4).shape[2] as number) : 0;
  const presents = [kNow, vNow].map((now, i) => {
    const own = upload(now);
    return c.has(4) ? concat(c.tape, [c.input(4 + i), own], 2) : own;
  }) as [Tensor, Tensor];

  const [batch, queryHeads, queries, headDim] = q.shape;
  const keyHeads = kNow.shape[1];
  const keys = past + kNow.shape[2];
  const valueDim = vNow.shape[3];
  need(queryHeads % keyHeads === 0 && vNow.shape[1] === keyHeads, `${queryHeads} query heads of ${keyHeads}`);
  const scale = Number.isNaN(o.scale) ? 1 / Math.sqrt(headDim) : o.scale;
  const seen = c.has(6) ? c.integers(6) : undefined;
  const masks = maskOf({
    shape: [batch, queryHeads, queries, keys],
    mask: c.has(3) ? c.host(3) : undefined,
    causal: o.is_causal === 1,
    // Query i of a cache sees the keys before it and itself.
    offsets: Array.from({ length: batch }, (_, b) => (seen ? (seen[b] as number) - queries : past)),
    valid: seen,
  });
  // Fewer key heads: each serves neighbouring query heads.
  const index = Array.from({ length: queryHeads }, (_, h) => Math.floor((h * keyHeads) / queryHeads));
  const [k, v] = presents.map((t) => (keyHeads === queryHeads ? t : take(c.tape, t, 1, index))) as [Tensor, Tensor];
  const out = attendWith(c, { q: upload(q), k, v }, masks, scale);
  const y = slice(c.tape, slice(c.tape, out, 1, 0, queries), 3, 0, valueDim); // [B, queries, heads, valueDim]
  const merged =
    c.host(0).shape.length === 3 ? y.view(batch, queries, queryHeads * valueDim) : permute(c.tape, y, [0, 2, 1, 3]);
  return [merged, ...presents, c.wants(3) ? scores(c, o.qk_matmul_output_mode, upload(q), k, scale) : undefined];
}

/** Scores as an output: before masks and softmax they are a product. */
function scores(c: Context, mode: number, q: Tensor, k: Tensor, scale: number): Tensor {
  need(mode === 0, 'scores as an output, after a mask or the softmax');
  c.notes.trick('scores as an output');
  const [batch, heads, queries, dim] = q.shape as [number, number, number, number];
  const keys = k.shape[2] as number;
  const product = batched(c.tape, 'nt', q.view(batch * heads, queries, dim), k.view(batch * heads, keys, dim));
  return times(c.tape, product, scale).view(batch, heads, queries, keys);
}

/** Attention of any counts and sizes by the kernel of equal ones: [B, n, heads, head_dim], of which some is padding. */
function attendWith(c: Context, { q, k, v }: { q: Tensor; k: Tensor; v: Tensor }, masks: Masks, scale: number): Tensor {
  const [batch, count, queries, headDim] = q.shape as [number, number, number, number];
  const [keys, valueDim] = [k.shape[2] as number, v.shape[3] as number];
  const n = Math.max(queries, keys);
  const plain = queries === keys && headDim === valueDim && masks.none;
  if (plain) return attend(c.tape, q, k, v, scale).out;
  c.notes.trick('masks, unequal counts or unequal head sizes');
  const { queryColumns, keyColumns, columns } = withMasks(masks, n, scale);
  const width = Math.ceil(Math.max(headDim + columns, valueDim) / 8) * 8; // fewer sizes to compile
  need(
    width <= MAX_HEAD_DIM,
    `head_dim of ${headDim} with masks of ${columns} kinds of rows, past ${MAX_HEAD_DIM} columns`,
  );
  const extra = (data: Float32Array) => (columns > 0 ? [tensor(c.tape, [batch, count, n, columns], data)] : []);
  const fill = (t: Tensor, more: readonly Tensor[]) => {
    const long = padTo(c, t, 2, n);
    return padTo(c, more.length > 0 ? concat(c.tape, [long, ...more], 3) : long, 3, width);
  };
  return attend(c.tape, fill(q, extra(queryColumns)), fill(k, extra(keyColumns)), fill(v, []), scale).out;
}

const padTo = (c: Context, t: Tensor, axis: number, size: number) =>
  pad(c.tape, t, axis, 0, size - (t.shape[axis] as number));

function rotary(c: Context): Tensor[] {
  const o = c.attributes({ interleaved: 0, rotary_embedding_dim: 0, num_heads: 0 });
  const given = c.host(0);
  const { tape } = c;
  const folded = given.shape.length === 3;
  need(!folded || o.num_heads > 0, 'three axes without num_heads');
  const x = folded
    ? c.input(0).view(...given.shape.slice(0, 2), o.num_heads, (given.shape[2] as number) / o.num_heads)
    : permute(tape, c.input(0), [0, 2, 1, 3]);
  const [batch, n, heads, dim] = x.shape as [number, number, number, number];
  const part = o.rotary_embedding_dim || dim;
  need(part % 2 === 0, `a rotation of ${part} numbers`);
  const half = part / 2;
  // Positions differ from sample to sample: all tokens are one sequence, each with its own angles.
  const tokens = batch * n;
  const positions = c.has(3) ? c.integers(3) : undefined;
  const tables = [1, 2].map((i) => {
    const table = c.input(i);
    const rows = positions ? take(tape, table, 0, positions) : table;
    return expand(tape, rows.view(tokens, half, 1), [tokens, half, 2]).view(1, tokens, part); // an angle a pair
  }) as [Tensor, Tensor];
  const rope = concat(tape, tables, 0);
  let head = slice(tape, x, 3, 0, part);
  const pairs = [tokens * heads, 2, half];
  if (!o.interleaved) head = permute(tape, head.view(...pairs), [0, 2, 1]);
  const row = head.view(tokens, heads * part);
  const qkv = concat(tape, [row, row, row], 1);
  const outputs = ['q', 'k', 'v'].map(() => tape.alloc(1, heads, tokens, part));
  const [q, k, v] = outputs as [Tensor, Tensor, Tensor];
  const kernel = qkNormRope.prepare(tape.workspace.device, { norm: 'none', rope: true });
  tape.run(kernel, { qkv, rope, q, k, v }, { batch: 1, n: tokens, heads, head_dim: part, eps: 0 });
  let turned = permute(tape, q, [0, 2, 1, 3]); // [1, tokens, heads, part]
  if (!o.interleaved) turned = permute(tape, turned.view(pairs[0] as number, half, 2), [0, 2, 1]);
  const rest = part < dim ? [slice(tape, x, 3, part, dim - part)] : [];
  const whole = concat(tape, [turned.view(batch, n, heads, part), ...rest], 3);
  return [folded ? whole.view(batch, n, heads * dim) : permute(tape, whole, [0, 2, 1, 3])];
}

export const attentions: Adapters = { Attention: attention, RotaryEmbedding: rotary };
