import {
  type AttentionOptions,
  type AttentionScoresOptions,
  attentionBackwardKV,
  attentionBackwardMask,
  attentionBackwardQ,
  attentionBackwardStored,
  attentionBackwardStoredQ,
  attentionDelta,
  attentionDims,
  attention as attentionKernel,
  attentionScores as attentionScoresKernel,
  storesScores,
} from '../../kernels/attention.ts';
import {
  attentionOnMatrices,
  matrixAttention,
  matrixAttentionBackward,
  matrixAttentionBackwardQ,
} from '../../kernels/attention_matrix.ts';
import { MAX_TILED } from '../../kernels/attention_tile.ts';
import { chooseAffineChunk, qkNormAffineBackward, qkNormRope, qkNormRopeBackward } from '../../kernels/qk_norm_rope.ts';
import { storedAs, type Tensor, TensorError } from '../../tensor/index.ts';
import type { GradSink, Tape } from '../tape.ts';
import { cast } from './cast.ts';
import { columnSums } from './product.ts';
import { wideAttention } from './wide_attention.ts';

/** What there is in the scores beside scale q . k; the rules of masks are those of shaders/lib/attention.wgsl. */
export interface ScoreOptions {
  /** Factor of q . k; 1 / sqrt(head_dim) if left out. */
  scale?: number;
  /** Query i sees keys up to i + offset ('start'), or up to i + offset + keys - queries ('end'), of the valid keys. */
  causal?: 'start' | 'end';
  offset?: number;
  /** Added to the scores: f32, [batch or 1, heads or 1, queries or 1, keys]; minus infinity hides a key. It may be trained. */
  bias?: Tensor;
  /** u32 of the same shapes, of which 0 hides a key; not beside a bias. */
  mask?: Tensor;
  /** u32 [batch]: how many keys of a sample are valid; the others are not read. */
  lengths?: Tensor;
  /** Scores become softcap tanh(score / softcap), before the mask. */
  softcap?: number;
}

export interface SelfAttentionOptions extends ScoreOptions {
  heads: number;
  /** Normalisation of q and k over head_dim, before the rotation. */
  norm: 'none' | 'rms' | 'layer';
  eps: number;
  /** Weights and biases [head_dim] after the norm of q and k, trained; a bias left out is 0. */
  affine?: { qWeight: Tensor; kWeight: Tensor; qBias?: Tensor; kBias?: Tensor };
  /** [2, N, head_dim]: cosines, then sines. */
  rope?: Tensor;
}

/**
 * Self-attention of a fused projection: split, normalise and rotate q and k, then softmax(q k^T / sqrt(head_dim)) v without
 * storing N x N, but for one head wider than 128 columns, which computes in f32 whatever qkv is stored as. qkv [B, N, 3D] -> [B, N, D].
 */
export function selfAttention(tape: Tape, qkv: Tensor, o: SelfAttentionOptions): Tensor {
  const { device } = tape.workspace;
  const [batch, n, width] = qkv.shape as [number, number, number];
  const { heads } = o;
  const head_dim = width / 3 / heads;
  if (!Number.isInteger(head_dim))
    throw new TensorError(
      `attention: a projection of ${width} does not split into 3 x ${heads} heads`,
      'give a number of heads that divides a third of the width',
    );
  if (heads === 1 && head_dim > MAX_TILED && isPlain(o)) {
    const y = wideAttention(tape, cast(tape, qkv, 'f32'), { scale: o.scale });
    return cast(tape, y, storedAs(qkv));
  }
  const affine = o.affine && packAffine(tape, o.affine, head_dim);
  const dtype = storedAs(qkv);
  const options = { norm: o.norm, affine: affine !== undefined, rope: o.rope !== undefined, dtype };
  const three = () => [0, 1, 2].map(() => tape.allocAs(dtype, batch, heads, n, head_dim)) as [Tensor, Tensor, Tensor];
  const prepareDims = { batch, n, heads, head_dim, eps: o.eps };
  const [q, k, v] = three();
  const shared = { qkv, affine, rope: o.rope };
  tape.run(qkNormRope.prepare(device, options, { head_dim }), { ...shared, q, k, v }, prepareDims);

  const { out, lse, backward } = attend(tape, { q, k, v }, o);
  return tape.push({
    op: 'selfAttention',
    inputs: [qkv, ...(o.affine ? Object.values(o.affine) : []), ...(o.bias ? [o.bias] : [])],
    output: out.view(batch, n, heads * head_dim),
    saved: [q, k, v, lse, ...(affine ? [affine] : [])],
    vjp: (dout, sink) => {
      const [dq, dk, dv] = three();
      backward(dout, sink, { dq, dk, dv });
      if (o.affine) affineGradients(tape, sink, o.affine, { qkv, rope: o.rope, dq, dk }, options, prepareDims);
      sink.give(qkv, (dqkv) => {
        tape.run(
          qkNormRopeBackward.prepare(device, options, { head_dim }),
          { ...shared, dq, dk, dv, dqkv },
          prepareDims,
        );
      });
      for (const t of [dq, dk, dv]) tape.release(t);
    },
  });
}

/**
 * Attention of any counts and sizes: q [batch, heads, n, head_dim], k [batch, kv_heads, keys, head_dim] and v [batch, kv_heads, keys,
 * value_dim] -> [batch, n, heads, value_dim]. heads is a multiple of kv_heads: neighbouring heads of q share one of k and v. A query that
 * sees no key has the result 0, and gives no gradient.
 */
export function attention(tape: Tape, q: Tensor, k: Tensor, v: Tensor, o: ScoreOptions = {}): Tensor {
  const { out, lse, backward } = attend(tape, { q, k, v }, o);
  return tape.push({
    op: 'attention',
    inputs: [q, k, v, ...(o.bias ? [o.bias] : [])],
    output: out,
    saved: [lse],
    vjp: (dout, sink) => {
      const dk = sink.needs(k) || sink.needs(v) ? tape.allocAs(k.dtype, ...k.shape) : undefined;
      const dv = dk && tape.allocAs(v.dtype, ...v.shape);
      const dq = sink.needs(q) ? tape.allocAs(q.dtype, ...q.shape) : undefined;
      backward(dout, sink, { dq, dk, dv });
      for (const [input, gradient] of [
        [q, dq],
        [k, dk],
        [v, dv],
      ] as const) {
        if (!gradient) continue;
        if (sink.needs(input)) sink.pass(input, gradient);
        else tape.release(gradient);
      }
    },
  });
}

/** True for attention of all keys, of q and k as they are. */
const isPlain = (o: SelfAttentionOptions): boolean =>
  o.norm === 'none' &&
  ![o.affine, o.rope, o.causal, o.bias, o.mask, o.lengths, o.softcap].some((part) => part !== undefined);

interface Gradients {
  dq: Tensor | undefined;
  dk: Tensor | undefined;
  dv: Tensor | undefined;
}

/** Runs the forward kernel; `backward` fills the gradients that are given and gives the bias its own. */
function attend(tape: Tape, { q, k, v }: { q: Tensor; k: Tensor; v: Tensor }, o: ScoreOptions) {
  const { device } = tape.workspace;
  const { shape, dims, options, mask } = describe(q, k, v, o);
  const { batch, heads, n, value_dim } = shape;
  const { lengths } = o;
  const { dtype } = options;
  const out = tape.allocAs(dtype, batch, n, heads, value_dim);
  const lse = tape.alloc(batch, heads, n);
  const { kv_heads, keys, head_dim, scale } = dims;
  const sizes = { batch, heads, kv_heads, n, keys, head_dim, scale };
  const hides = o.causal || mask || lengths;
  const plain = dtype === 'f16' && !hides && o.softcap === undefined;
  const matrices = plain ? attentionOnMatrices(shape, tape.workspace.caps) : undefined;
  const own = { headDim: head_dim, grouped: options.grouped };
  if (matrices?.forward) tape.run(matrixAttention.prepare(device, own), { q, k, v, out, lse }, sizes);
  else tape.run(attentionKernel.prepare(device, options, shape), { q, k, v, mask, lengths, out, lse }, dims);
  const backward = (dout: Tensor, sink: GradSink, { dq, dk, dv }: Gradients) => {
    const rows = tape.alloc(batch * heads * n + (lengths ? batch : 0), 2);
    const deltaKernel = attentionDelta.prepare(device, { lengths: lengths !== undefined, dtype });
    tape.run(deltaKernel, { out, dout, lse, lengths, rows }, { batch, heads, n, value_dim });
    const given = { q, k, v, mask, dout, rows };
    if (dq && dk && dv && matrices?.backward) {
      const dscores = tape.allocAs('f16', batch, heads, keys, Math.ceil(n / 8) * 8);
      tape.run(matrixAttentionBackward.prepare(device, own), { q, k, v, dout, rows, dk, dv, dscores }, sizes);
      tape.run(matrixAttentionBackwardQ.prepare(device, own), { k, dscores, dq }, sizes);
      tape.release(dscores);
    } else if (dq && dk && dv && !hides && storesScores(shape, tape.workspace.caps)) {
      const { headDim, valueDim, grouped, softcap } = options;
      const stored = { headDim, valueDim, grouped, softcap, dtype };
      const dscores = tape.alloc(batch, heads, keys, Math.ceil(n / 4) * 4);
      tape.run(attentionBackwardStored.prepare(device, stored, shape), { ...given, dk, dv, dscores }, dims);
      tape.run(attentionBackwardStoredQ.prepare(device, stored, shape), { k, dscores, dq }, sizes);
      tape.release(dscores);
    } else {
      if (dq) tape.run(attentionBackwardQ.prepare(device, options, shape), { ...given, dq }, dims);
      if (dk && dv) tape.run(attentionBackwardKV.prepare(device, options, shape), { ...given, dk, dv }, dims);
    }
    if (o.bias) {
      sink.give(o.bias, (dmask) => {
        tape.run(attentionBackwardMask.prepare(device, options), { ...given, dmask }, dims);
      });
    }
    tape.release(rows);
  };
  return { out, lse, backward };
}

/**
 * Scores as a matrix [batch, heads, n, keys], for a look at them, without a gradient: scale q . k, after the soft cap, after the masks
 * (minus infinity where a key is hidden), or their softmax.
 */
export function attentionScores(
  tape: Tape,
  q: Tensor,
  k: Tensor,
  stage: AttentionScoresOptions['stage'],
  o: ScoreOptions = {},
): Tensor {
  const { device } = tape.workspace;
  const { dims, options, mask } = describe(q, k, k, o);
  const { valueDim: _, ...own } = options;
  let lse: Tensor | undefined;
  if (stage === 'weights') {
    const forward = attend(tape, { q, k, v: k }, o); // for its sums
    tape.release(forward.out);
    lse = forward.lse;
  }
  const scores = tape.alloc(dims.batch, dims.heads, dims.n, dims.keys);
  const kernel = attentionScoresKernel.prepare(device, { ...own, stage });
  tape.run(kernel, { q, k, mask, lengths: o.lengths, lse, scores }, dims);
  return tape.push({ op: 'attentionScores', inputs: [q, k], output: scores, saved: lse ? [lse] : [], vjp: undefined });
}

/** What the kernels are asked for these tensors. */
function describe(q: Tensor, k: Tensor, v: Tensor, o: ScoreOptions) {
  checkShapes(q, k, v, o);
  const [batch, heads, n, head_dim] = q.shape as [number, number, number, number];
  const [, kv_heads, keys, value_dim] = v.shape as [number, number, number, number];
  const shape = { batch, heads, n, head_dim, keys, kv_heads, value_dim };
  const { scale, offset, softcap, causal, lengths } = o;
  const mask = o.bias ?? o.mask;
  const [maskBatch, maskHeads, maskN] = (mask?.shape ?? [1, 1, 1]) as [number, number, number];
  const dims = attentionDims(shape, {
    mask: [maskBatch, maskHeads, maskN],
    ...(scale !== undefined && { scale }),
    ...(offset !== undefined && { offset }),
    ...(softcap !== undefined && { softcap }),
  });
  const options: Omit<AttentionOptions, 'tile' | 'dtype'> & { dtype: 'f32' | 'f16' } = {
    dtype: storedAs(q),
    headDim: head_dim,
    valueDim: value_dim,
    grouped: kv_heads !== heads,
    lengths: lengths !== undefined,
    softcap: softcap !== undefined,
    ...(causal && { causal }),
    ...(mask && { mask: o.bias ? 'added' : 'boolean' }),
  };
  return { shape, dims, options, mask };
}

/** @throws TensorError for tensors that do not go together. */
function checkShapes(q: Tensor, k: Tensor, v: Tensor, { bias, mask, lengths }: ScoreOptions): void {
  const fail = (what: string, fix: string): never => {
    throw new TensorError(`attention: ${what}`, fix);
  };
  const [batch, heads, n, headDim] = q.shape;
  const [, kvHeads, keys] = k.shape;
  const wanted = `[${batch}, ${kvHeads}, ${keys}`;
  if (q.shape.length !== 4 || k.shape.length !== 4 || k.shape[0] !== batch || k.shape[3] !== headDim)
    fail(`q [${q.shape}] and k [${k.shape}]`, 'give [batch, heads, n, head_dim] and [batch, kv_heads, keys, head_dim]');
  if (v.shape.length !== 4 || `[${v.shape.slice(0, 3).join(', ')}` !== wanted)
    fail(`v [${v.shape}] beside k [${k.shape}]`, `give v as ${wanted}, value_dim]`);
  if (bias && mask) fail('both a bias and a mask', 'hide keys in the bias, by minus infinity');
  const given = bias ?? mask;
  const sizes = [batch, heads, n];
  if (
    given &&
    (given.shape.length !== 4 ||
      given.shape[3] !== keys ||
      sizes.some((s, i) => given.shape[i] !== 1 && given.shape[i] !== s))
  )
    fail(`a mask [${given.shape}]`, `give [${sizes}, ${keys}], of which all but the last may be 1`);
  if (lengths && lengths.count !== batch) fail(`lengths [${lengths.shape}]`, `give one of each of ${batch} samples`);
}

/** Rows of the packed affine map: weight of q, of k, bias of q, of k. */
function affineRows(affine: NonNullable<SelfAttentionOptions['affine']>): (Tensor | undefined)[] {
  return [affine.qWeight, affine.kWeight, affine.qBias, affine.kBias];
}

/** The affine maps of q and k side by side, [4, head_dim]: one binding of the kernel. */
function packAffine(tape: Tape, affine: NonNullable<SelfAttentionOptions['affine']>, headDim: number): Tensor {
  const packed = tape.alloc(4, headDim);
  affineRows(affine).forEach((part, i) => {
    if (part) tape.workspace.stream.copy(part, packed.slice(i * headDim, headDim));
    else tape.workspace.stream.clear(packed.slice(i * headDim, headDim));
  });
  return packed;
}

/** Their gradients: partial sums over chunks of rows, then the sums of all four rows at once. */
function affineGradients(
  tape: Tape,
  sink: GradSink,
  affine: NonNullable<SelfAttentionOptions['affine']>,
  from: { qkv: Tensor; rope: Tensor | undefined; dq: Tensor; dk: Tensor },
  options: { norm: 'none' | 'rms' | 'layer'; rope: boolean; dtype: 'f32' | 'f16' },
  dims: { batch: number; n: number; heads: number; head_dim: number; eps: number },
): void {
  const { head_dim } = dims;
  const rows = dims.batch * dims.n * dims.heads;
  const chunk_rows = chooseAffineChunk(rows, head_dim, tape.workspace.caps);
  const chunks = Math.ceil(rows / chunk_rows);
  const partial = tape.alloc(chunks, 4 * head_dim);
  const kernel = qkNormAffineBackward.prepare(tape.workspace.device, {
    norm: options.norm,
    rope: options.rope,
    dtype: options.dtype,
  });
  tape.run(kernel, { ...from, partial }, { ...dims, chunk_rows });
  const sums = tape.alloc(4, head_dim);
  columnSums(tape, partial, chunks, 4 * head_dim, sums);
  affineRows(affine).forEach((part, i) => {
    if (part) sink.give(part, (to) => tape.workspace.stream.copy(sums.slice(i * head_dim, head_dim), to));
  });
  tape.release(partial);
  tape.release(sums);
}
