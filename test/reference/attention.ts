/** Attention of batch x heads independent heads; q, k, v [batch, heads, n, headDim]. */
export interface AttentionProblem {
  batch: number;
  heads: number;
  n: number;
  headDim: number;
  q: ArrayLike<number>;
  k: ArrayLike<number>;
  v: ArrayLike<number>;
  /** Factor of the scores; 1 / sqrt(headDim) if left out. */
  scale?: number;
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

/** Overwrites n scores with their softmax; returns the logarithm of the sum of their exponentials. */
function softmaxInPlace(scores: Float64Array, at: number, n: number): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let j = at; j < at + n; j++) top = Math.max(top, scores[j]!);
  let sum = 0;
  for (let j = at; j < at + n; j++) sum += scores[j] = Math.exp(scores[j]! - top);
  for (let j = at; j < at + n; j++) scores[j] = scores[j]! / sum;
  return top + Math.log(sum);
}

/**
 * softmax(scale q k^T) v in f64, a row of probabilities at a time -> out [batch, n, heads, headDim] and the rows' logarithms
 * of the sums of exponentials lse [batch, heads, n].
 */
export function attention(p: AttentionProblem): { out: Float64Array; lse: Float64Array } {
  const { batch, heads, n, headDim, scale = 1 / Math.sqrt(p.headDim) } = p;
  const [q, k, v] = [Float64Array.from(p.q), Float64Array.from(p.k), Float64Array.from(p.v)];
  const out = new Float64Array(q.length);
  const lse = new Float64Array(batch * heads * n);
  const prob = new Float64Array(n);
  for (let head = 0; head < batch * heads; head++) {
    const first = head * n * headDim;
    for (let i = 0; i < n; i++) {
      rowDots([q, first + i * headDim], [k, first], n, headDim, scale, [prob, 0]);
      lse[head * n + i] = softmaxInPlace(prob, 0, n);
      weightedRows([prob, 0, 1], [v, first], n, headDim, [out, tokenMajor(head, i, p) * headDim]);
    }
  }
  return { out, lse };
}

/** Row of [batch, n, heads, .] that holds query i of head (batch, head). */
function tokenMajor(head: number, i: number, { heads, n }: { heads: number; n: number }): number {
  const sample = Math.floor(head / heads);
  return (sample * n + i) * heads + (head % heads);
}

/** Gradients of `attention` by q, k, v for a cotangent of out, all through the softmax's Jacobian: ds = p (dp - sum p dp). */
export function attentionGradients(
  p: AttentionProblem,
  cotangent: ArrayLike<number>,
): { dq: Float64Array; dk: Float64Array; dv: Float64Array; delta: Float64Array } {
  const { batch, heads, n, headDim, scale = 1 / Math.sqrt(p.headDim) } = p;
  const [q, k, v] = [Float64Array.from(p.q), Float64Array.from(p.k), Float64Array.from(p.v)];
  const dout = Float64Array.from(cotangent);
  const [dq, dk, dv] = [new Float64Array(q.length), new Float64Array(q.length), new Float64Array(q.length)];
  const delta = new Float64Array(batch * heads * n);
  const prob = new Float64Array(n * n);
  const dscore = new Float64Array(n * n);
  const doutOfHead = new Float64Array(n * headDim);
  for (let head = 0; head < batch * heads; head++) {
    const first = head * n * headDim;
    for (let i = 0; i < n; i++) {
      const from = tokenMajor(head, i, p) * headDim;
      doutOfHead.set(dout.subarray(from, from + headDim), i * headDim);
      rowDots([q, first + i * headDim], [k, first], n, headDim, scale, [prob, i * n]);
      softmaxInPlace(prob, i * n, n);
      rowDots([dout, from], [v, first], n, headDim, 1, [dscore, i * n]); // the gradient by the probabilities, as yet
      let mean = 0;
      for (let at = i * n; at < (i + 1) * n; at++) mean += prob[at]! * dscore[at]!;
      for (let at = i * n; at < (i + 1) * n; at++) dscore[at] = scale * prob[at]! * (dscore[at]! - mean);
      delta[head * n + i] = mean;
      weightedRows([dscore, i * n, 1], [k, first], n, headDim, [dq, first + i * headDim]);
    }
    for (let j = 0; j < n; j++) {
      weightedRows([dscore, j, n], [q, first], n, headDim, [dk, first + j * headDim]);
      weightedRows([prob, j, n], [doutOfHead, 0], n, headDim, [dv, first + j * headDim]);
    }
  }
  return { dq, dk, dv, delta };
}

/** out . dout of every query, f64: out, dout [batch, n, heads, headDim] -> [batch, heads, n]. */
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
