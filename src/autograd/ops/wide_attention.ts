import { qkNormRope, qkNormRopeBackward } from '../../kernels/qk_norm_rope.ts';
import { add } from '../../kernels/residual.ts';
import { softmaxBackward, softmax as softmaxKernel } from '../../kernels/softmax.ts';
import type { Tensor } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';
import { splitProduct } from './product.ts';

/** Scores that are stored at once: 128 MiB of them, what a kernel can bind at WebGPU's default limits. */
const MOST_SCORES = 2 ** 25;

/** How attention of a wide head is computed. */
export interface WideAttentionOptions {
  /** Default 1 / sqrt(D). */
  scale?: number | undefined;
  /** Scores that are stored at once; of more, some queries' of a sample at a time. */
  most?: number | undefined;
}

/**
 * Self-attention of one head of any width, as U-nets and autoencoders of images have it: softmax(scale q k^T) v with the scores stored,
 * N x N a sample, or in blocks of queries where these are too many. qkv [B, N, 3D] -> [B, N, D].
 */
export function wideAttention(tape: Tape, qkv: Tensor, o: WideAttentionOptions = {}): Tensor {
  const { device } = tape.workspace;
  const [batch, n, width] = qkv.shape as [number, number, number];
  const dim = width / 3;
  const options = { norm: 'none', affine: false, rope: false } as const;
  const heads = { batch, n, heads: 1, head_dim: dim, eps: 0 };
  const [q, k, v] = three(tape, batch, n, dim);
  tape.run(qkNormRope.prepare(device, options, { head_dim: dim }), { qkv, q, k, v }, heads);
  const { y, weights } = attended(tape, q, k, v, o);
  return tape.push({
    op: 'wideAttention',
    inputs: [qkv],
    output: y,
    saved: [q, k, v, ...(weights ? [weights] : [])],
    vjp: (dy, sink) =>
      sink.give(qkv, (dqkv) => {
        const [dq, dk, dv] = three(tape, batch, n, dim);
        attendedBackward(tape, { q, k, v, weights, dy }, { dq, dk, dv }, o);
        tape.run(qkNormRopeBackward.prepare(device, options, { head_dim: dim }), { qkv, dq, dk, dv, dqkv }, heads);
        for (const tensor of [dq, dk, dv]) tape.release(tensor);
      }),
  });
}

/** `wideAttention` of queries, keys and values that are tensors of their own: q, k, v [B, N, D] -> [B, N, D]. */
export function wideAttentionOf(tape: Tape, q: Tensor, k: Tensor, v: Tensor, o: WideAttentionOptions = {}): Tensor {
  const [batch, n, dim] = q.shape as [number, number, number];
  const { y, weights } = attended(tape, q, k, v, o);
  return tape.push({
    op: 'wideAttentionOf',
    inputs: [q, k, v],
    output: y,
    saved: weights ? [weights] : [],
    vjp: (dy, sink) => {
      const [dq, dk, dv] = three(tape, batch, n, dim);
      attendedBackward(tape, { q, k, v, weights, dy }, { dq, dk, dv }, o);
      for (const [of, gradient] of [[q, dq] as const, [k, dk] as const, [v, dv] as const]) {
        sink.pass(of, gradient);
        tape.release(gradient);
      }
    },
  });
}

const three = (tape: Tape, ...shape: [number, number, number]) =>
  [0, 1, 2].map(() => tape.alloc(...shape)) as [Tensor, Tensor, Tensor];

/** The result, and the softmax where it is stored for all queries. */
function attended(
  tape: Tape,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { scale, most = MOST_SCORES }: WideAttentionOptions,
): { y: Tensor; weights: Tensor | undefined } {
  const [batch, n, dim] = q.shape as [number, number, number];
  const sharp = scale ?? 1 / Math.sqrt(dim);
  const y = tape.alloc(batch, n, dim);
  if (batch * n * n <= most) return { y, weights: forward(tape, { batch, queries: n, n, dim, sharp }, q, k, v, y) };
  inBlocks(tape, { batch, n, dim, most }, [q, k, v], [y], (sizes, [qs, ks, vs], [ys]) => {
    tape.release(forward(tape, { ...sizes, sharp }, qs, ks, vs, ys));
  });
  return { y, weights: undefined };
}

function attendedBackward(
  tape: Tape,
  { q, k, v, weights, dy }: { q: Tensor; k: Tensor; v: Tensor; weights: Tensor | undefined; dy: Tensor },
  gradients: { dq: Tensor; dk: Tensor; dv: Tensor },
  { scale, most = MOST_SCORES }: WideAttentionOptions,
): void {
  const [batch, n, dim] = q.shape as [number, number, number];
  const sharp = scale ?? 1 / Math.sqrt(dim);
  if (weights) backward(tape, { batch, queries: n, n, dim, sharp }, { q, k, v, weights, dy }, gradients);
  else blockedBackward(tape, { batch, n, dim, sharp, most }, { q, k, v, dy }, gradients);
}

/** Some queries of some samples, over all n keys of each. */
interface Sizes {
  batch: number;
  queries: number;
  n: number;
  dim: number;
  sharp: number;
}

/** y = softmax(sharp q k^T) v; gives the softmax [batch, queries, n]. */
function forward(tape: Tape, s: Sizes, q: Tensor, k: Tensor, v: Tensor, y: Tensor): Tensor {
  const { batch, queries, n, dim } = s;
  const weights = softmaxOf(tape, s, q, k);
  splitProduct(tape, 'nn', { m: queries, n: dim, k: n, batch }, weights, v, y);
  return weights;
}

function softmaxOf(tape: Tape, { batch, queries, n, dim, sharp }: Sizes, q: Tensor, k: Tensor): Tensor {
  const { device } = tape.workspace;
  const raw = tape.alloc(batch, queries, n);
  splitProduct(tape, 'nt', { m: queries, n, k: dim, batch }, q, k, raw);
  const weights = tape.alloc(batch, queries, n);
  const rows = { rows: batch * queries, cols: n, scale: sharp };
  tape.run(softmaxKernel.prepare(device, {}, { cols: n }), { x: raw, y: weights }, rows);
  tape.release(raw);
  return weights;
}

/** dq, and of these queries dk and dv. */
function backward(
  tape: Tape,
  { batch, queries, n, dim, sharp }: Sizes,
  { q, k, v, weights, dy }: { q: Tensor; k: Tensor; v: Tensor; weights: Tensor; dy: Tensor },
  { dq, dk, dv }: { dq: Tensor; dk: Tensor; dv: Tensor },
): void {
  const { device } = tape.workspace;
  const byKey = { m: n, n: dim, k: queries, batch };
  splitProduct(tape, 'tn', byKey, weights, dy, dv); // weights^T dy
  const dweights = tape.alloc(batch, queries, n);
  splitProduct(tape, 'nt', { m: queries, n, k: dim, batch }, dy, v, dweights);
  const dscores = tape.alloc(batch, queries, n);
  const rows = { rows: batch * queries, cols: n, scale: sharp };
  tape.run(softmaxBackward.prepare(device, {}, { cols: n }), { y: weights, dy: dweights, dx: dscores }, rows);
  tape.release(dweights);
  splitProduct(tape, 'nn', { m: queries, n: dim, k: n, batch }, dscores, k, dq);
  splitProduct(tape, 'tn', byKey, dscores, q, dk);
  tape.release(dscores);
}

interface Blocks {
  batch: number;
  n: number;
  dim: number;
  most: number;
}

type Three = readonly [Tensor, Tensor, Tensor];

/**
 * Runs `body` on blocks of queries, one sample after the other: with copies of the rows of q and of the sample's k and v, and tensors for
 * rows of what is made, which are copied to their places.
 */
function inBlocks<T extends readonly Tensor[]>(
  tape: Tape,
  { batch, n, dim, most }: Blocks,
  [q, k, v]: Three,
  made: T,
  body: (sizes: Omit<Sizes, 'sharp'>, of: Three, made: T, block: { sample: number; first: number }) => void,
): void {
  const { stream } = tape.workspace;
  const queries = Math.max(1, Math.min(n, Math.floor(most / n)));
  for (let sample = 0; sample < batch; sample++) {
    const rows = (of: Tensor, first: number, count: number) => of.slice((sample * n + first) * dim, count, dim);
    const copied = (of: Tensor, first: number, count: number) => {
      const copy = tape.alloc(count, dim);
      stream.copy(rows(of, first, count), copy);
      return copy;
    };
    const own = batch > 1; // of a single sample k and v are what they are
    const [ks, vs] = own ? [copied(k, 0, n), copied(v, 0, n)] : [k, v];
    for (let first = 0; first < n; first += queries) {
      const count = Math.min(queries, n - first);
      const qs = copied(q, first, count);
      const outs = made.map(() => tape.alloc(count, dim)) as unknown as T;
      body({ batch: 1, queries: count, n, dim }, [qs, ks, vs], outs, { sample, first });
      made.forEach((tensor, i) => {
        const out = outs[i] as Tensor;
        stream.copy(out, rows(tensor, first, count));
        tape.release(out);
      });
      tape.release(qs);
    }
    if (!own) continue;
    tape.release(ks);
    tape.release(vs);
  }
}

/** The backward with the softmax made again, block by block, and what blocks of queries give keys and values added up. */
function blockedBackward(
  tape: Tape,
  { sharp, ...blocks }: Blocks & { sharp: number },
  { q, k, v, dy }: { q: Tensor; k: Tensor; v: Tensor; dy: Tensor },
  { dq, dk, dv }: { dq: Tensor; dk: Tensor; dv: Tensor },
): void {
  const { stream, device } = tape.workspace;
  const { n, dim } = blocks;
  let sums: Tensor[] = [];
  inBlocks(tape, blocks, [q, k, v], [dq] as const, (sizes, [qs, ks, vs], [dqs], { sample, first }) => {
    const weights = softmaxOf(tape, { ...sizes, sharp }, qs, ks);
    const dys = tape.alloc(sizes.queries, dim);
    stream.copy(dy.view(dk.count / dim, dim).slice((sample * n + first) * dim, sizes.queries, dim), dys);
    const parts = [tape.alloc(n, dim), tape.alloc(n, dim)] as const;
    const given = { q: qs, k: ks, v: vs, weights, dy: dys };
    backward(tape, { ...sizes, sharp }, given, { dq: dqs, dk: parts[0], dv: parts[1] });
    tape.release(weights);
    tape.release(dys);
    sums = first === 0 ? [...parts] : parts.map((part, i) => summed(sums[i] as Tensor, part));
    if (first + sizes.queries < n) return;
    [dk, dv].forEach((of, i) => {
      stream.copy(sums[i] as Tensor, of.slice(sample * n * dim, n, dim));
      tape.release(sums[i] as Tensor);
    });
  });

  function summed(a: Tensor, b: Tensor): Tensor {
    const out = tape.alloc(...a.shape);
    tape.run(add.prepare(device), { a, b, out }, { count: out.count });
    tape.release(a);
    tape.release(b);
    return out;
  }
}
