export type Act = 'gelu' | 'silu' | 'relu';

/** GELU in its tanh form (Hendrycks & Gimpel 2016), SiLU, or ReLU, of one number in f64. */
export function pointwise(act: Act, x: number): number {
  if (act === 'relu') return Math.max(x, 0);
  if (act === 'silu') return x / (1 + Math.exp(-x));
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

/** Its derivative; sech^2 from cosh, so that it shares no intermediate with the value. */
export function pointwiseSlope(act: Act, x: number): number {
  if (act === 'relu') return x > 0 ? 1 : 0;
  if (act === 'silu') return 1 / (1 + Math.exp(-x)) + x / (2 * Math.cosh(x / 2)) ** 2;
  const k = Math.sqrt(2 / Math.PI);
  const inner = k * (x + 0.044715 * x ** 3);
  return 0.5 * (1 + Math.tanh(inner)) + (0.5 * x * k * (1 + 0.134145 * x * x)) / Math.cosh(inner) ** 2;
}

/** silu(x1) x2 of x12 [rows, 2 hidden], and with dy [rows, hidden] its gradient by x12. */
export function gatedUnit(x12: ArrayLike<number>, rows: number, hidden: number, dy?: ArrayLike<number>) {
  const y = new Float64Array(rows * hidden);
  const dx12 = new Float64Array(rows * hidden * 2);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < hidden; c++) {
      const at = r * 2 * hidden + c;
      const [x1, x2] = [x12[at] as number, x12[at + hidden] as number];
      const up = dy?.[r * hidden + c] ?? 0;
      y[r * hidden + c] = pointwise('silu', x1) * x2;
      dx12[at] = up * x2 * pointwiseSlope('silu', x1);
      dx12[at + hidden] = up * pointwise('silu', x1);
    }
  }
  return { y, dx12 };
}

/** x + gate h, x and h [rows, cols], gate [ceil(rows/modRows), cols], f64. */
export function gatedSum(o: {
  rows: number;
  cols: number;
  modRows: number;
  x: ArrayLike<number>;
  h: ArrayLike<number>;
  gate: ArrayLike<number>;
}): Float64Array {
  return Float64Array.from({ length: o.rows * o.cols }, (_, i) => {
    const at = Math.floor(Math.floor(i / o.cols) / o.modRows) * o.cols + (i % o.cols);
    return (o.x[i] as number) + (o.gate[at] as number) * (o.h[i] as number);
  });
}

/** Its gradients by h [rows, cols] and gate [ceil(rows/modRows), cols]. */
export function gatedSumGradients(o: {
  rows: number;
  cols: number;
  modRows: number;
  h: ArrayLike<number>;
  gate: ArrayLike<number>;
  dy: ArrayLike<number>;
}) {
  const dh = new Float64Array(o.rows * o.cols);
  const dgate = new Float64Array(Math.ceil(o.rows / o.modRows) * o.cols);
  for (let i = 0; i < dh.length; i++) {
    const at = Math.floor(Math.floor(i / o.cols) / o.modRows) * o.cols + (i % o.cols);
    dh[i] = (o.gate[at] as number) * (o.dy[i] as number);
    dgate[at] = (dgate[at] as number) + (o.h[i] as number) * (o.dy[i] as number);
  }
  return { dh, dgate };
}
