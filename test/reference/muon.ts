/** A matrix by rows. */
export interface Matrix {
  rows: number;
  cols: number;
  values: ArrayLike<number>;
}

type Rows = number[][];

const rowsOf = ({ rows, cols, values }: Matrix): Rows =>
  Array.from({ length: rows }, (_, r) => Array.from({ length: cols }, (_, c) => values[r * cols + c] as number));

const transposed = (a: Rows): Rows => (a[0] as number[]).map((_, c) => a.map((row) => row[c] as number));

const times = (a: Rows, b: Rows): Rows => {
  const columns = transposed(b);
  return a.map((row) => columns.map((column) => row.reduce((sum, v, i) => sum + v * (column[i] as number), 0)));
};

const weighed = (x: number, a: Rows, y: number, b: Rows): Rows =>
  a.map((row, r) => row.map((v, c) => x * v + y * ((b[r] as number[])[c] as number)));

/**
 * What Muon makes of a matrix (Jordan et al. 2024): over its Frobenius norm + 1e-7, then X <- 3.4445 X + (-4.775 A + 2.0315 A^2) X with
 * A = X X', five times; a matrix of more rows than columns is transposed before and after.
 */
export function newtonSchulz(matrix: Matrix): Float64Array {
  const given = rowsOf(matrix);
  const tall = matrix.rows > matrix.cols;
  const norm = Math.hypot(...given.flat()) + 1e-7;
  let x = (tall ? transposed(given) : given).map((row) => row.map((v) => v / norm));
  for (let step = 0; step < 5; step++) {
    const a = times(x, transposed(x));
    x = weighed(3.4445, x, 1, times(weighed(-4.775, a, 2.0315, times(a, a)), x));
  }
  return Float64Array.from((tall ? transposed(x) : x).flat());
}

/** One step of Muon for one matrix: Nesterov's momentum, made orthogonal, times sqrt(max(1, rows / cols)); decay is decoupled. */
export function muon(
  state: { param: Matrix; m: ArrayLike<number> },
  grad: ArrayLike<number>,
  o: { lr: number; momentum: number; weightDecay: number },
): { param: Float64Array; m: Float64Array } {
  const { rows, cols, values } = state.param;
  const blend = (from: number, to: number, share: number) => from + (to - from) * share;
  const m = Float64Array.from(state.m, (v, i) => blend(v, grad[i] as number, 1 - o.momentum));
  const ahead = Float64Array.from(m, (v, i) => blend(grad[i] as number, v, o.momentum));
  const update = newtonSchulz({ rows, cols, values: ahead });
  const size = o.lr * Math.sqrt(Math.max(1, rows / cols));
  return {
    m,
    param: Float64Array.from(values, (p, i) => p * (1 - o.lr * o.weightDecay) - size * (update[i] as number)),
  };
}
