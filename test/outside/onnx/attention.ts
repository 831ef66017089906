import { attention as attend, attentionScores, type ScoreOptions } from '../../../src/autograd/ops/attention.ts';
import { qkNormRope } from '../../../src/kernels/qk_norm_rope.ts';
import type { Tensor } from '../../../src/tensor/index.ts';
import { type HostTensor, need } from '../case.ts';
import { concat, expand, permute, slice, take, tensor } from '../tensors.ts';
import type { Adapters, Context } from './context.ts';

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
  need(o.softmax_precision === 1, 'softmax in another precision');
  const q = heads(c.host(0), o.q_num_heads);
  const [kNow, vNow] = [heads(c.host(1), o.kv_num_heads), heads(c.host(2), o.kv_num_heads)];
  const upload = (t: { shape: readonly number[]; data: ArrayLike<number> }) => tensor(c.tape, t.shape, t.data);
  const past = c.has(4) ? (c.host(4).shape[2] as number) : 0;
  const presents = [kNow, vNow].map((now, i) => {
    const own = upload(now);
    return c.has(4) ? concat(c.tape, [c.input(4 + i), own], 2) : own;
  }) as [Tensor, Tensor];

  const [batch, queryHeads, queries] = q.shape;
  const keys = past + kNow.shape[2];
  const options: ScoreOptions = {
    ...(Number.isNaN(o.scale) ? {} : { scale: o.scale }),
    ...(o.softcap > 0 && { softcap: o.softcap }),
    ...(c.has(3) && maskOf(c, c.host(3), queries, keys)),
    ...(c.has(6) && { lengths: words(c, c.integers(6)) }),
    // Query i of a cache sees the keys before it and itself; where keys are counted, the last query sees the last of them.
    ...(o.is_causal === 1 && (c.has(6) ? { causal: 'end' } : { causal: 'start', offset: past })),
  };
  const [query, [k, v]] = [upload(q), presents];
  const y = attend(c.tape, query, k, v, options); // [B, queries, heads, a head]
  const merged =
    c.host(0).shape.length === 3
      ? y.view(batch, queries, y.count / batch / queries)
      : permute(c.tape, y, [0, 2, 1, 3]).view(batch, queryHeads, queries, y.shape[3] as number);
  const stage = (['product', 'capped', 'masked', 'weights'] as const)[o.qk_matmul_output_mode];
  need(stage !== undefined, `scores of mode ${o.qk_matmul_output_mode}`);
  return [merged, ...presents, c.wants(3) ? attentionScores(c.tape, query, k, stage, options) : undefined];
}

function words(c: Context, data: ArrayLike<number>, ...shape: number[]): Tensor {
  const made = c.tape.alloc(...(shape.length > 0 ? shape : [data.length]));
  c.tape.workspace.stream.write(made, Uint32Array.from(data));
  return made;
}

/** A mask of four axes; keys past the end of one that is too short are hidden. */
function maskOf(c: Context, { type, shape, data }: HostTensor, queries: number, keys: number): ScoreOptions {
  need(shape.length >= 2 && shape.length <= 4, `a mask [${shape}]`);
  need(type === 'bool' || type === 'float32', `a mask of type ${type}`);
  const [columns = 0] = shape.slice(-1);
  need(columns <= keys && (columns > 1 || keys === 1), `a mask [${shape}] of ${keys} keys`);
  need([1, queries].includes(shape.at(-2) as number), `a mask [${shape}] of ${queries} queries`);
  const added = type === 'float32';
  const lead = [...Array(4 - shape.length).fill(1), ...shape.slice(0, -1)];
  const rows = data.length / columns;
  const whole = Float32Array.from({ length: rows * keys }, (_, i) => {
    const [row, column] = [Math.floor(i / keys), i % keys];
    return column < columns ? Number(data[row * columns + column]) : added ? Number.NEGATIVE_INFINITY : 0;
  });
  return added ? { bias: tensor(c.tape, [...lead, keys], whole) } : { mask: words(c, whole, ...lead, keys) };
}

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
