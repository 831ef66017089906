/** A batch of predictions and what they should be, [batch, channels, pixels]. */
export interface LossProblem {
  batch: number;
  channels: number;
  pixels: number;
  /** Of the pseudo-Huber distance; 0 is the RMSE. */
  c: number;
  cosine: boolean;
  /** The mean square itself. */
  squared?: boolean;
  /** The integral of (mean square + c)^-power. */
  power?: number;
  prediction: ArrayLike<number>;
  target: ArrayLike<number>;
}

const FLOOR = 1e-8; // least norm of a channel vector

/** sqrt(mean square + c^2) - c, plus with `cosine` the mean over pixels of 1 - cosine similarity over channels; by sample. */
export function sampleLosses(o: LossProblem): { losses: Float64Array; roots: Float64Array } {
  const losses = new Float64Array(o.batch);
  const roots = new Float64Array(o.batch);
  const values = o.channels * o.pixels;
  for (let b = 0; b < o.batch; b++) {
    let square = 0;
    for (let i = b * values; i < (b + 1) * values; i++)
      square += ((o.prediction[i] as number) - (o.target[i] as number)) ** 2;
    const root = Math.hypot(Math.sqrt(square / values), o.c);
    roots[b] = root;
    losses[b] = o.squared ? square / values : root - o.c;
    if (o.power !== undefined) {
      losses[b] = integralOfPower(square / values, o.c, o.power);
      roots[b] = (square / values + o.c) ** o.power / 2;
    }
    if (!o.cosine) continue;
    let apart = 0;
    for (let pixel = 0; pixel < o.pixels; pixel++) {
      const { p, t } = channelsOf(o, b, pixel);
      apart += 1 - dot(p, t) / (norm(p) * norm(t));
    }
    losses[b] = (losses[b] as number) + apart / o.pixels;
  }
  return { losses, roots };
}

/** Of (x + c)^-power from 0 to `square`. */
function integralOfPower(square: number, c: number, power: number): number {
  if (power === 1) return Math.log1p(square / c);
  return ((square + c) ** (1 - power) - c ** (1 - power)) / (1 - power);
}

/** The gradient of the mean over the batch of weight * loss by the prediction. */
export function lossGradient(o: LossProblem, weights: ArrayLike<number>): Float64Array {
  const out = new Float64Array(o.batch * o.channels * o.pixels);
  const { roots } = sampleLosses(o);
  for (let b = 0; b < o.batch; b++) {
    const share = (weights[b] as number) / o.batch;
    for (let pixel = 0; pixel < o.pixels; pixel++) {
      const { p, t } = channelsOf(o, b, pixel);
      const [np, nt] = [norm(p), norm(t)];
      const inner = dot(p, t) / (np * nt);
      for (let c = 0; c < o.channels; c++) {
        const [pc, tc] = [p[c] as number, t[c] as number];
        const root = roots[b] as number;
        const numel = o.channels * o.pixels;
        let slope = root === 0 ? 0 : (pc - tc) / (numel * root);
        if (o.squared) slope = (2 * (pc - tc)) / numel;
        // A norm at its floor is a constant: only the scalar product moves.
        if (o.cosine) slope -= (tc / (np * nt) - (np > FLOOR ? (inner * pc) / np ** 2 : 0)) / o.pixels;
        out[(b * o.channels + c) * o.pixels + pixel] = share * slope;
      }
    }
  }
  return out;
}

function channelsOf(o: LossProblem, b: number, pixel: number): { p: number[]; t: number[] } {
  const at = (c: number) => (b * o.channels + c) * o.pixels + pixel;
  const take = (from: ArrayLike<number>) => Array.from({ length: o.channels }, (_, c) => from[at(c)] as number);
  return { p: take(o.prediction), t: take(o.target) };
}

const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
const norm = (a: readonly number[]) => Math.max(FLOOR, Math.sqrt(dot(a, a)));
