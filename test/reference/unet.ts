import { pointwise, pointwiseSlope } from './pointwise.ts';

/** Channel-last images of so many pixels, with groups of neighbouring channels. */
export interface GroupNormProblem {
  batch: number;
  pixels: number;
  cols: number;
  groups: number;
  eps: number;
  silu?: boolean;
  x: ArrayLike<number>;
  weight: ArrayLike<number>;
  bias: ArrayLike<number>;
}

const groupOf = (o: GroupNormProblem, i: number) =>
  Math.floor(i / o.cols / o.pixels) * o.groups + Math.floor((i % o.cols) / (o.cols / o.groups));

/** Mean and 1 / sqrt(variance + eps) of each sample's groups, [batch, groups, 2], in f64. */
export function groupStats(o: GroupNormProblem): Float64Array {
  const size = (o.pixels * o.cols) / o.groups;
  const mean = new Float64Array(o.batch * o.groups);
  const variance = new Float64Array(o.batch * o.groups);
  const all = o.batch * o.pixels * o.cols;
  for (let i = 0; i < all; i++) mean[groupOf(o, i)] = (mean[groupOf(o, i)] as number) + (o.x[i] as number) / size;
  for (let i = 0; i < all; i++) {
    const g = groupOf(o, i);
    variance[g] = (variance[g] as number) + ((o.x[i] as number) - (mean[g] as number)) ** 2 / size;
  }
  return Float64Array.from({ length: 2 * mean.length }, (_, i) =>
    i % 2 === 0 ? (mean[i / 2] as number) : 1 / Math.sqrt((variance[(i - 1) / 2] as number) + o.eps),
  );
}

/** The group norm, through SiLU where asked for. */
export function groupNormed(o: GroupNormProblem): Float64Array {
  const stats = groupStats(o);
  return Float64Array.from({ length: o.batch * o.pixels * o.cols }, (_, i) => {
    const g = groupOf(o, i);
    const xhat = ((o.x[i] as number) - (stats[2 * g] as number)) * (stats[2 * g + 1] as number);
    const value = xhat * (o.weight[i % o.cols] as number) + (o.bias[i % o.cols] as number);
    return o.silu ? pointwise('silu', value) : value;
  });
}

/** Its gradients, by mean and variance apart; and what the kernels keep on the way: g and g xhat, of each number. */
export function groupNormGradients(o: GroupNormProblem, dy: ArrayLike<number>) {
  const stats = groupStats(o);
  const all = o.batch * o.pixels * o.cols;
  const size = (o.pixels * o.cols) / o.groups;
  const g = new Float64Array(all);
  const gXhat = new Float64Array(all);
  const [dweight, dbias] = [new Float64Array(o.cols), new Float64Array(o.cols)];
  const [dmean, dvariance] = [new Float64Array(stats.length / 2), new Float64Array(stats.length / 2)];
  for (let i = 0; i < all; i++) {
    const [at, c] = [groupOf(o, i), i % o.cols];
    const rstd = stats[2 * at + 1] as number;
    const xhat = ((o.x[i] as number) - (stats[2 * at] as number)) * rstd;
    const value = xhat * (o.weight[c] as number) + (o.bias[c] as number);
    g[i] = (dy[i] as number) * (o.silu ? pointwiseSlope('silu', value) : 1);
    gXhat[i] = (g[i] as number) * xhat;
    dbias[c] = (dbias[c] as number) + (g[i] as number);
    dweight[c] = (dweight[c] as number) + (gXhat[i] as number);
    const down = (g[i] as number) * (o.weight[c] as number);
    dmean[at] = (dmean[at] as number) - down * rstd;
    dvariance[at] = (dvariance[at] as number) - 0.5 * down * xhat * rstd * rstd;
  }
  const dx = Float64Array.from({ length: all }, (_, i) => {
    const [at, c] = [groupOf(o, i), i % o.cols];
    const own = (g[i] as number) * (o.weight[c] as number) * (stats[2 * at + 1] as number);
    const centred = (o.x[i] as number) - (stats[2 * at] as number);
    return own + (dmean[at] as number) / size + ((dvariance[at] as number) * 2 * centred) / size;
  });
  return { dx, dweight, dbias, g, gXhat };
}

export interface FilterProblem {
  batch: number;
  height: number;
  width: number;
  large_h: number;
  large_w: number;
  channels: number;
  before: number;
  scale: number;
  taps: readonly number[];
}

/** Every meeting of a number of the small image and one of the large, with the weight of the filter. */
function* filtered(o: FilterProblem): Generator<{ small: number; large: number; weight: number }> {
  for (let b = 0; b < o.batch; b++)
    for (let row = 0; row < o.height; row++)
      for (let col = 0; col < o.width; col++)
        for (const [i, down] of o.taps.entries())
          for (const [j, across] of o.taps.entries()) {
            const [y, x] = [2 * row + i - o.before, 2 * col + j - o.before];
            if (y < 0 || x < 0 || y >= o.large_h || x >= o.large_w) continue;
            for (let c = 0; c < o.channels; c++)
              yield {
                small: ((b * o.height + row) * o.width + col) * o.channels + c,
                large: ((b * o.large_h + y) * o.large_w + x) * o.channels + c,
                weight: o.scale * down * across,
              };
          }
}

/** A large image filtered and halved. */
export function filteredDown(x: ArrayLike<number>, o: FilterProblem): Float64Array {
  const out = new Float64Array(o.batch * o.height * o.width * o.channels);
  for (const { small, large, weight } of filtered(o))
    out[small] = (out[small] as number) + weight * (x[large] as number);
  return out;
}

/** The transpose of `filteredDown`. */
export function filteredUp(x: ArrayLike<number>, o: FilterProblem): Float64Array {
  const out = new Float64Array(o.batch * o.large_h * o.large_w * o.channels);
  for (const { small, large, weight } of filtered(o))
    out[large] = (out[large] as number) + weight * (x[small] as number);
  return out;
}

/** silu(x (1 + scale)), a scale of each sample and channel, with its gradients; dscale of each number. */
export function scaledSilu(
  x: ArrayLike<number>,
  scale: ArrayLike<number>,
  { pixels, cols }: { pixels: number; cols: number },
  dy?: ArrayLike<number>,
) {
  const all = { length: x.length };
  const factor = (i: number) => 1 + (scale[Math.floor(i / cols / pixels) * cols + (i % cols)] as number);
  const g = (i: number) => (dy?.[i] ?? 0) * pointwiseSlope('silu', (x[i] as number) * factor(i));
  return {
    y: Float64Array.from(all, (_, i) => pointwise('silu', (x[i] as number) * factor(i))),
    dx: Float64Array.from(all, (_, i) => g(i) * factor(i)),
    dscale: Float64Array.from(all, (_, i) => g(i) * (x[i] as number)),
  };
}

/** own e + scale W[:, y], e alone at the null label, with its gradients. */
export function labelMixed(
  e: ArrayLike<number>,
  weight: ArrayLike<number>,
  y: ArrayLike<number>,
  o: { cols: number; classes: number; own: number; scale: number },
  dout?: ArrayLike<number>,
) {
  const out = new Float64Array(e.length);
  const de = new Float64Array(e.length);
  const dweight = new Float64Array(weight.length);
  for (let i = 0; i < e.length; i++) {
    const [label, c] = [y[Math.floor(i / o.cols)] as number, i % o.cols];
    const up = dout?.[i] ?? 0;
    const known = label < o.classes;
    const at = c * o.classes + label;
    out[i] = known ? o.own * (e[i] as number) + o.scale * (weight[at] as number) : (e[i] as number);
    de[i] = known ? o.own * up : up;
    if (known) dweight[at] = (dweight[at] as number) + o.scale * up;
  }
  return { out, de, dweight };
}

export interface PixelSquares {
  batch: number;
  height: number;
  width: number;
  channels: number;
  side: number;
  each: number;
  scale: number;
}

/** Every number of the large image [batch, side height, side width, channels], and of the small one that it is part of. */
function* squares(o: PixelSquares): Generator<{ large: number; small: number }> {
  const narrow = (o.channels * o.side ** 2) / o.each;
  for (let b = 0; b < o.batch; b++)
    for (let row = 0; row < o.side * o.height; row++)
      for (let col = 0; col < o.side * o.width; col++)
        for (let c = 0; c < o.channels; c++) {
          const place = c * o.side ** 2 + (row % o.side) * o.side + (col % o.side);
          const pixel = (b * o.height + Math.floor(row / o.side)) * o.width + Math.floor(col / o.side);
          yield {
            large: ((b * o.side * o.height + row) * o.side * o.width + col) * o.channels + c,
            small: pixel * narrow + Math.floor(place / o.each),
          };
        }
}

/** Sums of the large image's numbers that lie together in the small one, times scale; up: numbers of the small one where they belong. */
export function pixelsGathered(x: ArrayLike<number>, o: PixelSquares, up: boolean): Float64Array {
  const large = o.batch * o.height * o.width * o.side ** 2 * o.channels;
  const out = new Float64Array(up ? large : large / o.each);
  for (const at of squares(o)) {
    const [to, from] = up ? [at.large, at.small] : [at.small, at.large];
    out[to] = (out[to] as number) + o.scale * (x[from] as number);
  }
  return out;
}

interface LinearHeads {
  batch: number;
  n: number;
  heads: number;
  dim: number;
}

/** ReLU linear attention from its definition, N x N; and the state of tokens `begin` up to `end`, [batch, heads, dim + 1, dim]. */
export function linearlyAttended(qkv: ArrayLike<number>, o: LinearHeads, eps: number, begin = 0, end = o.n) {
  const { batch, n, heads, dim } = o;
  const at = (b: number, m: number, h: number, which: number, c: number) =>
    qkv[((b * n + m) * heads + h) * 3 * dim + which * dim + c] as number;
  const relu = (x: number) => Math.max(x, 0);
  const out = new Float64Array(batch * n * heads * dim);
  const state = new Float64Array(batch * heads * (dim + 1) * dim);
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++) {
      for (let t = 0; t < n; t++) {
        let below = eps;
        const above = new Float64Array(dim);
        for (let m = 0; m < n; m++) {
          let weight = 0;
          for (let c = 0; c < dim; c++) weight += relu(at(b, t, h, 0, c)) * relu(at(b, m, h, 1, c));
          below += weight;
          for (let c = 0; c < dim; c++) above[c] = (above[c] as number) + weight * at(b, m, h, 2, c);
        }
        above.forEach((v, c) => {
          out[((b * n + t) * heads + h) * dim + c] = v / below;
        });
      }
      for (let i = 0; i <= dim; i++)
        for (let j = 0; j < dim; j++) {
          let sum = 0;
          for (let m = begin; m < end; m++) sum += relu(at(b, m, h, 1, j)) * (i < dim ? at(b, m, h, 2, i) : 1);
          state[((b * heads + h) * (dim + 1) + i) * dim + j] = sum;
        }
    }
  return { out, state };
}

/** Gradients of `linearlyAttended`: by qkv, by numerators and denominators [batch, n, heads, dim + 1], and by the state. */
export function linearlyAttendedGradients(
  qkv: ArrayLike<number>,
  dy: ArrayLike<number>,
  o: LinearHeads,
  eps: number,
  begin = 0,
  end = o.n,
) {
  const { batch, n, heads, dim } = o;
  const place = (b: number, m: number, h: number, which: number, c: number) =>
    ((b * n + m) * heads + h) * 3 * dim + which * dim + c;
  const at = (...where: Parameters<typeof place>) => qkv[place(...where)] as number;
  const relu = (x: number) => Math.max(x, 0);
  const { out, state } = linearlyAttended(qkv, o, eps);
  const dabove = new Float64Array(batch * n * heads * (dim + 1));
  const dstate = new Float64Array(state.length); // of tokens begin up to end
  const whole = new Float64Array(state.length);
  const dqkv = new Float64Array(3 * out.length);
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++) {
      const s = (i: number, j: number) => ((b * heads + h) * (dim + 1) + i) * dim + j;
      const value = (m: number, i: number) => (i < dim ? at(b, m, h, 2, i) : 1);
      for (let t = 0; t < n; t++) {
        const head = (b * n + t) * heads + h;
        let below = eps;
        let along = 0;
        for (let j = 0; j < dim; j++) {
          below += (state[s(dim, j)] as number) * relu(at(b, t, h, 0, j));
          along += (dy[head * dim + j] as number) * (out[head * dim + j] as number);
        }
        for (let i = 0; i <= dim; i++) {
          const d = (i < dim ? (dy[head * dim + i] as number) : -along) / below;
          dabove[head * (dim + 1) + i] = d;
          for (let j = 0; j < dim; j++) {
            const q = at(b, t, h, 0, j);
            if (q > 0)
              dqkv[place(b, t, h, 0, j)] = (dqkv[place(b, t, h, 0, j)] as number) + d * (state[s(i, j)] as number);
            whole[s(i, j)] = (whole[s(i, j)] as number) + d * relu(q);
            if (t >= begin && t < end) dstate[s(i, j)] = (dstate[s(i, j)] as number) + d * relu(q);
          }
        }
      }
      for (let m = 0; m < n; m++)
        for (let j = 0; j < dim; j++) {
          const k = at(b, m, h, 1, j);
          let dk = 0;
          for (let i = 0; i <= dim; i++) {
            const d = whole[s(i, j)] as number;
            dk += value(m, i) * d;
            if (i < dim) dqkv[place(b, m, h, 2, i)] = (dqkv[place(b, m, h, 2, i)] as number) + d * relu(k);
          }
          if (k > 0) dqkv[place(b, m, h, 1, j)] = dk;
        }
    }
  return { dqkv, dabove, dstate, out, state };
}
