export interface SoftmaxProblem {
  rows: number;
  cols: number;
  x: ArrayLike<number>;
  /** Default 1. */
  scale?: number;
  /** The logarithm. */
  log?: boolean;
}

/** log(sum of exp) of numbers, the largest taken out. */
function logSumExp(numbers: readonly number[]): number {
  const top = numbers.reduce((a, b) => Math.max(a, b));
  return top + Math.log(numbers.reduce((sum, v) => sum + Math.exp(v - top), 0));
}

const rowOf = (values: ArrayLike<number>, row: number, cols: number) =>
  Array.from({ length: cols }, (_, c) => values[row * cols + c] as number);

/** softmax(scale x) along rows, or its log, in f64. */
export function softmax({ rows, cols, x, scale = 1, log = false }: SoftmaxProblem): Float64Array {
  const y = new Float64Array(rows * cols);
  for (let r = 0; r < rows; r++) {
    const z = rowOf(x, r, cols).map((v) => scale * v);
    const whole = logSumExp(z);
    z.forEach((v, c) => void (y[r * cols + c] = log ? v - whole : Math.exp(v - whole)));
  }
  return y;
}

/** Its gradient by x, from y alone: sum over j of dy_j dy_j / dx_c with the Jacobian y_j (1[j = c] - y_c), or 1[j = c] - exp(y_c). */
export function softmaxGradient(
  { rows, cols, y, scale = 1, log = false }: Omit<SoftmaxProblem, 'x'> & { y: ArrayLike<number> },
  dy: ArrayLike<number>,
): Float64Array {
  const dx = new Float64Array(rows * cols);
  for (let r = 0; r < rows; r++) {
    const [ys, dys] = [rowOf(y, r, cols), rowOf(dy, r, cols)];
    const total = dys.reduce((sum, d, c) => sum + (log ? d : d * (ys[c] as number)), 0);
    ys.forEach((v, c) => {
      const d = dys[c] as number;
      dx[r * cols + c] = scale * (log ? d - Math.exp(v) * total : v * (d - total));
    });
  }
  return dx;
}

export interface CrossEntropyProblem {
  rows: number;
  cols: number;
  logits: ArrayLike<number>;
  /** A class a row, or weights [rows, cols]. */
  labels?: ArrayLike<number>;
  targets?: ArrayLike<number>;
  smoothing?: number;
  ignoreIndex?: number;
}

/** The weight of every class in a row's loss; undefined for a row that is left out. */
function weightsOf(o: CrossEntropyProblem, row: number): number[] | undefined {
  const label = o.labels?.[row];
  if (label !== undefined && label === o.ignoreIndex) return undefined;
  const { cols, smoothing = 0 } = o;
  const base =
    label === undefined
      ? rowOf(o.targets as ArrayLike<number>, row, cols)
      : Array.from({ length: cols }, (_, c) => (label >= cols ? Number.NaN : c === label ? 1 : 0));
  return base.map((w) => (1 - smoothing) * w + smoothing / cols);
}

/** Minus the sum of weights times log softmax, a row; in f64. */
export function crossEntropy(o: CrossEntropyProblem): Float64Array {
  const logs = softmax({ rows: o.rows, cols: o.cols, x: o.logits, log: true });
  return Float64Array.from({ length: o.rows }, (_, r) =>
    (weightsOf(o, r) ?? []).reduce((sum, w, c) => sum - w * (logs[r * o.cols + c] as number), 0),
  );
}

/** Its gradient by the logits, times dloss [rows]. */
export function crossEntropyGradient(o: CrossEntropyProblem, dloss: ArrayLike<number>): Float64Array {
  const p = softmax({ rows: o.rows, cols: o.cols, x: o.logits });
  const out = new Float64Array(o.rows * o.cols);
  for (let r = 0; r < o.rows; r++) {
    const weights = weightsOf(o, r);
    const whole = weights?.reduce((a, b) => a + b, 0) ?? 0;
    weights?.forEach((w, c) => {
      const at = r * o.cols + c;
      out[at] = (dloss[r] as number) * (whole * (p[at] as number) - w);
    });
  }
  return out;
}

/** (the largest logit, sum of weights / sum of exponentials of what the logits are below it), a row; zeros for one left out. */
export function crossEntropyStats(o: CrossEntropyProblem): Float64Array {
  const out = new Float64Array(2 * o.rows);
  for (let r = 0; r < o.rows; r++) {
    const weights = weightsOf(o, r);
    if (!weights) continue;
    const z = rowOf(o.logits, r, o.cols);
    const top = z.reduce((a, b) => Math.max(a, b));
    const sum = z.reduce((s, v) => s + Math.exp(v - top), 0);
    out.set([top, weights.reduce((a, b) => a + b, 0) / sum], 2 * r);
  }
  return out;
}
