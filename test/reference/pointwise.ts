export type Act = 'gelu' | 'gelu-erf' | 'silu' | 'relu' | 'sigmoid' | 'tanh' | 'erf';

/** The error function in f64: its power series, and beyond 2.5 the continued fraction of its complement. */
function errorFunction(x: number): number {
  return Math.abs(x) < 2.5 ? series(x) : Math.sign(x) * (1 - complement(Math.abs(x)));
}

function series(x: number): number {
  let term = (2 * x) / Math.sqrt(Math.PI);
  let sum = 0;
  for (let n = 0; n < 80; n++) {
    sum += term / (2 * n + 1);
    term *= -(x * x) / (n + 1);
  }
  return sum;
}

function complement(x: number): number {
  let tail = x;
  for (let n = 120; n > 0; n--) tail = x + n / 2 / tail;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * tail);
}

/** The normal distribution function; its lower tail keeps its digits. */
function normalBelow(x: number): number {
  return x < -2.5 * Math.SQRT2 ? complement(-x / Math.SQRT2) / 2 : 0.5 + 0.5 * errorFunction(x / Math.SQRT2);
}

const logistic = (x: number) => 1 / (1 + Math.exp(-x));

const VALUES: { readonly [act in Act]: (x: number) => number } = {
  relu: (x) => Math.max(x, 0),
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  'gelu-erf': (x) => x * normalBelow(x),
  sigmoid: logistic,
  tanh: Math.tanh,
  erf: errorFunction,
};

const SLOPES: { readonly [act in Act]: (x: number) => number } = {
  relu: (x) => (x > 0 ? 1 : 0),
  silu: (x) => logistic(x) + x / (2 * Math.cosh(x / 2)) ** 2,
  gelu: (x) => {
    const k = Math.sqrt(2 / Math.PI);
    const inner = k * (x + 0.044715 * x ** 3);
    return 0.5 * (1 + Math.tanh(inner)) + (0.5 * x * k * (1 + 0.134145 * x * x)) / Math.cosh(inner) ** 2;
  },
  'gelu-erf': (x) => normalBelow(x) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI),
  sigmoid: (x) => 1 / (2 * Math.cosh(x / 2)) ** 2,
  tanh: (x) => 1 / Math.cosh(x) ** 2,
  erf: (x) => (2 * Math.exp(-x * x)) / Math.sqrt(Math.PI),
};

/** A nonlinearity of one number in f64; gelu is the tanh form (Hendrycks & Gimpel 2016), gelu-erf the exact one. */
export const pointwise = (act: Act, x: number): number => VALUES[act](x);

/** Its derivative; sech^2 from cosh, so that it shares no intermediate with the value. */
export const pointwiseSlope = (act: Act, x: number): number => SLOPES[act](x);

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
