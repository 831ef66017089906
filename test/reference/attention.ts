/** Attention of batch x heads heads: q [batch, heads, n, headDim]; k, v [batch, kvHeads, keys, headDim or valueDim]. */
export interface AttentionProblem {
  batch: number;
  heads: number;
  n: number;
  headDim: number;
  q: ArrayLike<number>;
  k: ArrayLike<number>;
  v: ArrayLike<number>;
  /** Factor of the scores; 1 / sqrt(headDim) if left out. */
  scale?: number | undefined;
  /** n, heads and headDim if left out. */
  keys?: number | undefined;
  kvHeads?: number | undefined;
  valueDim?: number | undefined;
  /** Query i sees keys up to i + offset, or up to i + offset + valid keys - n. */
  causal?: 'start' | 'end' | undefined;
  offset?: number | undefined;
  mask?: AttentionMask | undefined;
  /** Valid keys of each sample. */
  lengths?: ArrayLike<number> | undefined;
  softcap?: number | undefined;
}

/** [sizes, keys], each size 1 or that of the scores: numbers to add, of which -3e38 and less hides a key, or 0 where a key is hidden. */
export interface AttentionMask {
  kind: 'added' | 'boolean';
  sizes: readonly [batch: number, heads: number, n: number];
  data: ArrayLike<number>;
}

/** out[at + j] = scale a . b_j for every row j of b, from element bAt on; a starts at aAt. Four rows at a time, for speed. */
function rowDots(
  [a, aAt]: [Float64Array, number],
  [b, bAt]: [Float64Array, number],
  rows: number,
  cols: number,
  scale: number,
  [out, at]: [Float64Array, number],
): void {
  for (let j = 0; j < rows; j += 4) {
    const b0 = bAt + j * cols;
    const b1 = bAt + Math.min(j + 1, rows - 1) * cols;
    const b2 = bAt + Math.min(j + 2, rows - 1) * cols;
    const b3 = bAt + Math.min(j + 3, rows - 1) * cols;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let d = 0; d < cols; d++) {
      const x = a[aAt + d]!;
      s0 += x * b[b0 + d]!;
      s1 += x * b[b1 + d]!;
      s2 += x * b[b2 + d]!;
      s3 += x * b[b3 + d]!;
    }
    out[at + j] = scale * s0;
    if (j + 1 < rows) out[at + j + 1] = scale * s1;
    if (j + 2 < rows) out[at + j + 2] = scale * s2;
    if (j + 3 < rows) out[at + j + 3] = scale * s3;
  }
}

/** y[yAt..] += sum over rows j of w[wAt + j wStep] x_j; x's rows start at element xAt. Four rows at a time, for speed. */
function weightedRows(
  [w, wAt, wStep]: [Float64Array, number, number],
  [x, xAt]: [Float64Array, number],
  rows: number,
  cols: number,
  [y, yAt]: [Float64Array, number],
): void {
  const whole = rows & ~3;
  for (let j = 0; j < whole; j += 4) {
    const w0 = w[wAt + j * wStep]!;
    const w1 = w[wAt + (j + 1) * wStep]!;
    const w2 = w[wAt + (j + 2) * wStep]!;
    const w3 = w[wAt + (j + 3) * wStep]!;
    const from = xAt + j * cols;
    for (let d = 0; d < cols; d++) {
      const at = from + d;
      y[yAt + d] = y[yAt + d]! + (w0 * x[at]! + w1 * x[at + cols]!) + (w2 * x[at + 2 * cols]! + w3 * x[at + 3 * cols]!);
    }
  }
  for (let j = whole; j < rows; j++) {
    const weight = w[wAt + j * wStep]!;
    for (let d = 0; d < cols; d++) y[yAt + d] = y[yAt + d]! + weight * x[xAt + j * cols + d]!;
  }
}

/** Overwrites n scores with their softmax; returns the logarithm of the sum of their exponentials, -3e38 where all are hidden. */
function softmaxInPlace(scores: Float64Array, at: number, n: number): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let j = at; j < at + n; j++) top = Math.max(top, scores[j]!);
  if (top === Number.NEGATIVE_INFINITY) {
    scores.fill(0, at, at + n);
    return -3e38;
  }
  let sum = 0;
  for (let j = at; j < at + n; j++) sum += scores[j] = Math.exp(scores[j]! - top);
  for (let j = at; j < at + n; j++) scores[j] = scores[j]! / sum;
  return top + Math.log(sum);
}

/** Sizes and tensors of a problem, those left out filled in. */
function whole(p: AttentionProblem) {
  const { batch, heads, n, headDim, keys = n, kvHeads = heads, valueDim = headDim } = p;
  const [q, k, v] = [Float64Array.from(p.q), Float64Array.from(p.k), Float64Array.from(p.v)];
  const scale = p.scale ?? 1 / Math.sqrt(headDim);
  return { batch, heads, n, headDim, keys, kvHeads, valueDim, q, k, v, scale };
}

/** Which head of k and v a head of q (each of all samples) has. */
function sharedHead(head: number, { heads, kvHeads }: { heads: number; kvHeads: number }): number {
  return Math.floor(head / heads) * kvHeads + Math.floor((head % heads) / (heads / kvHeads));
}

/** The place in a mask of its number for a query and a key. */
function placeInMask(mask: AttentionMask, sample: number, head: number, i: number, j: number, keys: number): number {
  const [b, h, r] = [sample, head, i].map((index, axis) => (mask.sizes[axis] === 1 ? 0 : index)) as [
    number,
    number,
    number,
  ];
  return ((b * mask.sizes[1] + h) * mask.sizes[2] + r) * keys + j;
}

/** Caps and masks the scores of query i, at `at`: minus infinity where a key is hidden. `slopes` gets what the cap multiplies gradients by. */
function maskRow(
  p: AttentionProblem,
  head: number,
  i: number,
  scores: Float64Array,
  at: number,
  slopes?: Float64Array,
): void {
  const { heads, n, keys = n, mask, softcap } = p;
  const sample = Math.floor(head / heads);
  const valid = p.lengths ? Math.min(p.lengths[sample]!, keys) : keys;
  const ahead = (p.offset ?? 0) + (p.causal === 'end' ? valid - n : 0);
  for (let j = 0; j < keys; j++) {
    if (softcap !== undefined) {
      const t = Math.tanh(scores[at + j]! / softcap);
      scores[at + j] = softcap * t;
      if (slopes) slopes[at + j] = 1 - t * t;
    }
    const m = mask && mask.data[placeInMask(mask, sample, head % heads, i, j, keys)]!;
    const masked = mask?.kind === 'added' ? m! <= -3e38 : m === 0;
    if (j >= valid || (p.causal && j > i + ahead) || masked) scores[at + j] = Number.NEGATIVE_INFINITY;
    else if (mask?.kind === 'added') scores[at + j] = scores[at + j]! + m!;
  }
}

/**
 * softmax(scores) v in f64, a row of probabilities at a time -> out [batch, n, heads, valueDim] and the rows' logarithms
 * of the sums of exponentials lse [batch, heads, n].
 */
export function attention(p: AttentionProblem): { out: Float64Array; lse: Float64Array } {
  const w = whole(p);
  const { batch, heads, n, headDim, keys, valueDim, q, k, v } = w;
  const out = new Float64Array(batch * heads * n * valueDim);
  const lse = new Float64Array(batch * heads * n);
  const prob = new Float64Array(keys);
  for (let head = 0; head < batch * heads; head++) {
    const shared = sharedHead(head, w) * keys;
    for (let i = 0; i < n; i++) {
      rowDots([q, (head * n + i) * headDim], [k, shared * headDim], keys, headDim, w.scale, [prob, 0]);
      maskRow(p, head, i, prob, 0);
      lse[head * n + i] = softmaxInPlace(prob, 0, keys);
      weightedRows([prob, 0, 1], [v, shared * valueDim], keys, valueDim, [out, tokenMajor(head, i, p) * valueDim]);
    }
  }
  return { out, lse };
}

/** Scores [batch, heads, n, keys] of a stage: scale q . k, capped, masked (minus infinity where hidden), or their softmax. */
export function attentionScores(p: AttentionProblem, stage: 'product' | 'capped' | 'masked' | 'weights'): Float64Array {
  const w = whole(p);
  const { batch, heads, n, headDim, keys, q, k } = w;
  const bare = { ...p, causal: undefined, mask: undefined, lengths: undefined };
  const scores = new Float64Array(batch * heads * n * keys);
  for (let row = 0; row < batch * heads * n; row++) {
    const [head, i, at] = [Math.floor(row / n), row % n, row * keys];
    rowDots([q, row * headDim], [k, sharedHead(head, w) * keys * headDim], keys, headDim, w.scale, [scores, at]);
    if (stage !== 'product') maskRow(stage === 'capped' ? bare : p, head, i, scores, at);
    if (stage === 'weights') softmaxInPlace(scores, at, keys);
  }
  return scores;
}

/** Row of [batch, n, heads, .] that holds query i of head (batch, head). */
function tokenMajor(head: number, i: number, { heads, n }: { heads: number; n: number }): number {
  const sample = Math.floor(head / heads);
  return (sample * n + i) * heads + (head % heads);
}

export interface AttentionGradients {
  dq: Float64Array;
  dk: Float64Array;
  dv: Float64Array;
  delta: Float64Array;
  /** By the mask, where one is added. */
  dmask: Float64Array | undefined;
}

/** Gradients of `attention` for a cotangent of out, all through the softmax's Jacobian: ds = p (dp - sum p dp). */
export function attentionGradients(p: AttentionProblem, cotangent: ArrayLike<number>): AttentionGradients {
  const w = whole(p);
  const { batch, heads, n, headDim, keys, valueDim, q, k, v, scale } = w;
  const dout = Float64Array.from(cotangent);
  const [dq, dk, dv] = [new Float64Array(q.length), new Float64Array(k.length), new Float64Array(v.length)];
  const dmask = p.mask?.kind === 'added' ? new Float64Array(p.mask.data.length) : undefined;
  const delta = new Float64Array(batch * heads * n);
  const prob = new Float64Array(n * keys);
  const dscore = new Float64Array(n * keys);
  const slopes = new Float64Array(n * keys).fill(1);
  const doutOfHead = new Float64Array(n * valueDim);
  for (let head = 0; head < batch * heads; head++) {
    const first = head * n * headDim;
    const shared = sharedHead(head, w) * keys;
    for (let i = 0; i < n; i++) {
      const from = tokenMajor(head, i, p) * valueDim;
      doutOfHead.set(dout.subarray(from, from + valueDim), i * valueDim);
      rowDots([q, first + i * headDim], [k, shared * headDim], keys, headDim, scale, [prob, i * keys]);
      maskRow(p, head, i, prob, i * keys, slopes);
      softmaxInPlace(prob, i * keys, keys);
      rowDots([dout, from], [v, shared * valueDim], keys, valueDim, 1, [dscore, i * keys]); // the gradient by the probabilities, as yet
      let mean = 0;
      for (let at = i * keys; at < (i + 1) * keys; at++) mean += prob[at]! * dscore[at]!;
      for (let j = 0; j < keys; j++) {
        const at = i * keys + j;
        const byMasked = prob[at]! * (dscore[at]! - mean);
        if (dmask) {
          const to = placeInMask(p.mask!, Math.floor(head / heads), head % heads, i, j, keys);
          dmask[to] = dmask[to]! + byMasked;
        }
        dscore[at] = scale * byMasked * slopes[at]!;
      }
      delta[head * n + i] = mean;
      weightedRows([dscore, i * keys, 1], [k, shared * headDim], keys, headDim, [dq, first + i * headDim]);
    }
    for (let j = 0; j < keys; j++) {
      weightedRows([dscore, j, keys], [q, first], n, headDim, [dk, (shared + j) * headDim]);
      weightedRows([prob, j, keys], [doutOfHead, 0], n, valueDim, [dv, (shared + j) * valueDim]);
    }
  }
  return { dq, dk, dv, delta, dmask };
}

/** out . dout of every query, f64: out, dout [batch, n, heads, headDim] -> [batch, heads, n]; headDim is that of v. */
export function queryDots(
  shape: { batch: number; heads: number; n: number; headDim: number },
  out: ArrayLike<number>,
  dout: ArrayLike<number>,
): Float64Array {
  const { batch, heads, n, headDim } = shape;
  const dots = new Float64Array(batch * heads * n);
  for (let head = 0; head < batch * heads; head++) {
    for (let i = 0; i < n; i++) {
      const from = tokenMajor(head, i, shape) * headDim;
      let sum = 0;
      for (let d = from; d < from + headDim; d++) sum += out[d]! * dout[d]!;
      dots[head * n + i] = sum;
    }
  }
  return dots;
}
