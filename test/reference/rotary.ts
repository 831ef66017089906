/** A fused projection qkv [batch, n, 3, heads, headDim] whose q and k are normalised over the head and rotated. */
export interface QkvProblem {
  batch: number;
  n: number;
  heads: number;
  headDim: number;
  qkv: ArrayLike<number>;
  norm: 'none' | 'rms' | 'layer';
  eps: number;
  /** [4, headDim]: weight of q, weight of k, bias of q, bias of k. */
  affine?: ArrayLike<number>;
  /** [2, n, headDim]: cosines, sines. */
  rope?: ArrayLike<number>;
}

/** Calls `visit` for every row of headDim numbers: which of q, k, v (0, 1, 2), its token and its offsets in qkv and in q. */
function eachRow(p: QkvProblem, visit: (which: number, token: number, inQkv: number, inQ: number) => void): void {
  for (let sample = 0; sample < p.batch; sample++) {
    for (let token = 0; token < p.n; token++) {
      for (let head = 0; head < p.heads; head++) {
        const inQ = ((sample * p.heads + head) * p.n + token) * p.headDim;
        for (let which = 0; which < 3; which++) {
          visit(which, token, (((sample * p.n + token) * 3 + which) * p.heads + head) * p.headDim, inQ);
        }
      }
    }
  }
}

/** The normalised row into xhat, without the affine map; returns the factor 1 / deviation. */
function normalise(p: QkvProblem, inQkv: number, xhat: Float64Array): number {
  const { headDim, qkv, norm } = p;
  let mean = 0;
  if (norm === 'layer') for (let d = 0; d < headDim; d++) mean += qkv[inQkv + d]! / headDim;
  let variance = 0;
  for (let d = 0; d < headDim; d++) variance += (qkv[inQkv + d]! - mean) ** 2 / headDim;
  const factor = norm === 'none' ? 1 : 1 / Math.sqrt(variance + p.eps);
  for (let d = 0; d < headDim; d++) xhat[d] = (qkv[inQkv + d]! - mean) * factor;
  return factor;
}

/** Splits qkv in f64 into q, k, v [batch, heads, n, headDim]; q and k normalised, mapped and rotated. */
export function qkNormRotary(p: QkvProblem): { q: Float64Array; k: Float64Array; v: Float64Array } {
  const { batch, n, heads, headDim, qkv, affine, rope } = p;
  const outputs = [0, 1, 2].map(() => new Float64Array(batch * heads * n * headDim));
  const row = new Float64Array(headDim);
  eachRow(p, (which, token, inQkv, inQ) => {
    const to = outputs[which]!;
    if (which === 2) {
      for (let d = 0; d < headDim; d++) to[inQ + d] = qkv[inQkv + d]!;
      return;
    }
    normalise(p, inQkv, row);
    if (affine) {
      for (let d = 0; d < headDim; d++)
        row[d] = row[d]! * affine[which * headDim + d]! + affine[(which + 2) * headDim + d]!;
    }
    for (let d = 0; d < headDim; d++) {
      if (!rope) {
        to[inQ + d] = row[d]!;
        continue;
      }
      const turned = d % 2 === 0 ? -row[d + 1]! : row[d - 1]!;
      to[inQ + d] = row[d]! * rope[token * headDim + d]! + turned * rope[(n + token) * headDim + d]!;
    }
  });
  return { q: outputs[0]!, k: outputs[1]!, v: outputs[2]! };
}

/**
 * Gradients of `qkNormRotary` for cotangents of q, k, v: dqkv, and those of the affine map summed over chunks of chunkRows rows
 * (batch, token, head; all of them if left out) -> daffine [chunks, 4, headDim].
 */
export function qkNormRotaryGradients(
  p: QkvProblem,
  cotangents: { dq: ArrayLike<number>; dk: ArrayLike<number>; dv: ArrayLike<number> },
  chunkRows = p.batch * p.n * p.heads,
): { dqkv: Float64Array; daffine: Float64Array } {
  const { n, headDim, qkv, affine, rope, norm } = p;
  const given = [cotangents.dq, cotangents.dk, cotangents.dv];
  const dqkv = new Float64Array(qkv.length);
  const daffine = new Float64Array(Math.ceil((p.batch * n * p.heads) / chunkRows) * 4 * headDim);
  const xhat = new Float64Array(headDim);
  const g = new Float64Array(headDim);
  let visited = 0;
  eachRow(p, (which, token, inQkv, inQ) => {
    const dy = given[which]!;
    const chunk = Math.floor(Math.floor(visited++ / 3) / chunkRows) * 4;
    if (which === 2) {
      for (let d = 0; d < headDim; d++) dqkv[inQkv + d] = dy[inQ + d]!;
      return;
    }
    // The transpose of each pair's 2 x 2 map [[cos0, -sin0], [sin1, cos1]].
    for (let d = 0; d < headDim; d++) g[d] = dy[inQ + d]!;
    for (let d = 0; rope && d < headDim; d += 2) {
      const [c, s] = [token * headDim + d, (n + token) * headDim + d];
      const [g0, g1] = [g[d]!, g[d + 1]!];
      g[d] = rope[c]! * g0 + rope[s + 1]! * g1;
      g[d + 1] = rope[c + 1]! * g1 - rope[s]! * g0;
    }
    const factor = normalise(p, inQkv, xhat);
    for (let d = 0; d < headDim; d++) {
      const weight = (chunk + which) * headDim + d;
      const bias = (chunk + which + 2) * headDim + d;
      daffine[weight] = daffine[weight]! + g[d]! * xhat[d]!;
      daffine[bias] = daffine[bias]! + g[d]!;
      if (affine) g[d] = g[d]! * affine[which * headDim + d]!;
    }
    // xhat = centred * factor, factor = (mean of centred^2 + eps)^-1/2: the rule for a product, then for the centring.
    let dfactor = 0;
    if (norm !== 'none') for (let d = 0; d < headDim; d++) dfactor += (g[d]! * xhat[d]!) / factor;
    let mean = 0;
    for (let d = 0; d < headDim; d++) {
      const centred = xhat[d]! / factor;
      g[d] = g[d]! * factor - (dfactor * factor ** 3 * centred) / headDim;
      mean += g[d]! / headDim;
    }
    for (let d = 0; d < headDim; d++) dqkv[inQkv + d] = g[d]! - (norm === 'layer' ? mean : 0);
  });
  return { dqkv, daffine };
}

/**
 * Rotary tables [2, n, headDim] (cosines, sines) of a square of n tokens.
 * - axial: the first half of the head turns by the row, the second by the column; frequency 1e4^(-2j / (headDim / 2)) for pair j
 *   of a half. headDim must divide by 4.
 * - stretched: pairs alternate between column and row; positions run from 0 to 16 over a side, frequency 1e4^(-4j / headDim).
 */
export function rotaryTables(kind: 'axial' | 'stretched', side: number, headDim: number): Float64Array {
  const n = side * side;
  const tables = new Float64Array(2 * n * headDim);
  for (let token = 0; token < n; token++) {
    const [row, col] = [Math.floor(token / side), token % side];
    for (let d = 0; d < headDim; d++) {
      const pair = Math.floor(d / 2);
      let angle: number;
      if (kind === 'axial') {
        const half = headDim / 2;
        const j = pair % (half / 2);
        angle = (d < half ? row : col) * 1e4 ** ((-2 * j) / half);
      } else {
        const position = ((pair % 2 === 0 ? col : row) * 16) / Math.max(side - 1, 1);
        angle = position * 1e4 ** ((-4 * Math.floor(pair / 2)) / headDim);
      }
      tables[token * headDim + d] = Math.cos(angle);
      tables[(n + token) * headDim + d] = Math.sin(angle);
    }
  }
  return tables;
}
