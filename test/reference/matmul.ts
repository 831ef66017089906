import { type Act, pointwise } from './pointwise.ts';

export interface MatmulProblem {
  m: number;
  n: number;
  k: number;
  batch?: number;
  transA?: boolean;
  transB?: boolean;
  /** Which matrix of a the s-th product of the batch reads; its own by default. */
  matrixOfA?: (s: number) => number;
  matrixOfB?: (s: number) => number;
  a: ArrayLike<number>;
  b: ArrayLike<number>;
  /** [n]. */
  bias?: ArrayLike<number>;
  act?: 'none' | Act;
  /** [ceil(m / gateRows), n]. */
  gate?: ArrayLike<number>;
  gateRows?: number;
  /** [batch, m, n]. */
  residual?: ArrayLike<number>;
  /** Only the first rows of the first product: a part of what would take minutes. */
  rows?: number;
  /** Only the first terms of each sum. */
  terms?: number;
}

/** residual + gate * act(op(a) op(b) + bias) in f64, [batch, m, n]; every part but the product optional. */
export function matmul(o: MatmulProblem): Float64Array {
  const { m, n, k, act = 'none', gateRows = 1, rows = o.m, terms = o.k } = o;
  const batch = o.rows === undefined ? (o.batch ?? 1) : 1;
  const out = new Float64Array(batch * rows * n);
  for (let s = 0; s < batch; s++) {
    const [ofA, ofB] = [o.matrixOfA?.(s) ?? s, o.matrixOfB?.(s) ?? s];
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < n; j++) {
        let sum = o.bias?.[j] ?? 0;
        for (let l = 0; l < terms; l++) {
          const a = o.a[ofA * m * k + (o.transA ? l * m + i : i * k + l)] as number;
          const b = o.b[ofB * k * n + (o.transB ? j * k + l : l * n + j)] as number;
          sum += a * b;
        }
        const at = (s * m + i) * n + j;
        const active = act === 'none' ? sum : pointwise(act, sum);
        out[at] = (o.residual?.[at] ?? 0) + (o.gate?.[Math.floor(i / gateRows) * n + j] ?? 1) * active;
      }
    }
  }
  return out;
}
