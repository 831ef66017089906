/** Numbers after which `randn` repeats: a prime, so that no tile or row of a test lines up with it. */
const PERIOD = 1_048_583;

/** Deterministic standard normals for tests: Box-Muller over a 32-bit mixing generator. */
export function randn(n: number, seed: number): Float64Array {
  if (n > PERIOD) {
    const out = new Float64Array(n);
    const once = randn(PERIOD, seed);
    for (let at = 0; at < n; at += PERIOD) out.set(once.subarray(0, n - at), at);
    return out;
  }
  const u = uniform(2 * n, seed);
  return Float64Array.from({ length: n }, (_, i) => {
    const radius = Math.sqrt(-2 * Math.log(1 - (u[2 * i] as number)));
    return radius * Math.cos(2 * Math.PI * (u[2 * i + 1] as number));
  });
}

/** Deterministic uniforms in [0, 1) for tests. */
export function uniform(n: number, seed: number): Float64Array {
  let state = (seed * 0x9e3779b9 + 0x85ebca6b) >>> 0;
  return Float64Array.from({ length: n }, () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  });
}

/** ||a - b|| / ||b||. */
export function relError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let size = 0;
  for (let i = 0; i < b.length; i++) {
    difference += ((a[i] as number) - (b[i] as number)) ** 2;
    size += (b[i] as number) ** 2;
  }
  return Math.sqrt(difference / (size || 1));
}

/** Gradient of sum(f(x) dy) by x, by central differences in f64. */
export function numericalGradient(
  f: (x: Float64Array) => ArrayLike<number>,
  x: ArrayLike<number>,
  dy: ArrayLike<number>,
): Float64Array {
  const h = 1e-6;
  const at = Float64Array.from(x);
  const objective = () => {
    const y = f(at);
    let sum = 0;
    for (let i = 0; i < y.length; i++) sum += (y[i] as number) * (dy[i] as number);
    return sum;
  };
  return Float64Array.from(at, (value, i) => {
    at[i] = value + h;
    const up = objective();
    at[i] = value - h;
    const down = objective();
    at[i] = value;
    return (up - down) / (2 * h);
  });
}
