/** One step of an optimiser of Adam's family, as published: state in, state out. */
export interface AdamState {
  param: ArrayLike<number>;
  m: ArrayLike<number>;
  v: ArrayLike<number>;
}

export interface AdamNumbers {
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
}

type AdamResult = { param: Float64Array; m: Float64Array; v: Float64Array };

function moments(state: AdamState, grad: ArrayLike<number>, o: AdamNumbers): AdamResult {
  return {
    param: Float64Array.from(state.param),
    m: Float64Array.from(state.m, (m, i) => o.beta1 * m + (1 - o.beta1) * (grad[i] as number)),
    v: Float64Array.from(state.v, (v, i) => o.beta2 * v + (1 - o.beta2) * (grad[i] as number) ** 2),
  };
}

/** Adam with weight decay as an L2 penalty, both moments corrected, eps beside the corrected root (Kingma & Ba 2014; torch). */
export function adam(state: AdamState, grad: ArrayLike<number>, o: AdamNumbers, step: number): AdamResult {
  const penalised = Float64Array.from(state.param, (p, i) => (grad[i] as number) + o.weightDecay * p);
  const next = moments(state, penalised, o);
  for (let i = 0; i < next.param.length; i++) {
    const first = (next.m[i] as number) / (1 - o.beta1 ** step);
    const second = (next.v[i] as number) / (1 - o.beta2 ** step);
    next.param[i] = (next.param[i] as number) - (o.lr * first) / (Math.sqrt(second) + o.eps);
  }
  return next;
}

/** UCGM's AdamW: p -= s (wd p + m / (sqrt(v) + eps)), s = lr sqrt(1 - beta2^t) / (1 - beta1^t). Not torch's. */
export function adamw(state: AdamState, grad: ArrayLike<number>, o: AdamNumbers, step: number): AdamResult {
  const next = moments(state, grad, o);
  const s = (o.lr * Math.sqrt(1 - o.beta2 ** step)) / (1 - o.beta1 ** step);
  for (let i = 0; i < next.param.length; i++) {
    const p = next.param[i] as number;
    next.param[i] = p - s * (o.weightDecay * p + (next.m[i] as number) / (Math.sqrt(next.v[i] as number) + o.eps));
  }
  return next;
}

/** RAdam as Liu et al. 2019 and torch have it: momentum alone until rho_t is above 5, then Adam's step times r_t. */
export function radam(state: AdamState, grad: ArrayLike<number>, o: AdamNumbers, step: number): AdamResult {
  const penalised = Float64Array.from(state.param, (p, i) => (grad[i] as number) + o.weightDecay * p);
  const next = moments(state, penalised, o);
  const most = 2 / (1 - o.beta2) - 1;
  const rho = most - (2 * step * o.beta2 ** step) / (1 - o.beta2 ** step);
  const r = Math.sqrt((((rho - 4) / (most - 4)) * ((rho - 2) / (most - 2)) * most) / rho);
  for (let i = 0; i < next.param.length; i++) {
    const first = (next.m[i] as number) / (1 - o.beta1 ** step);
    const root = (Math.sqrt(next.v[i] as number) + o.eps) / Math.sqrt(1 - o.beta2 ** step);
    next.param[i] = (next.param[i] as number) - o.lr * (rho > 5 ? (r * first) / root : first);
  }
  return next;
}

/** Lion (Chen et al. 2023): the sign of an average of momentum and gradient, with decoupled decay. */
export function lion(
  state: Omit<AdamState, 'v'>,
  grad: ArrayLike<number>,
  o: Omit<AdamNumbers, 'eps'>,
): { param: Float64Array; m: Float64Array } {
  const decayed = Float64Array.from(state.param, (p) => p * (1 - o.lr * o.weightDecay));
  const param = decayed.map((p, i) => {
    return p - o.lr * Math.sign(o.beta1 * (state.m[i] as number) + (1 - o.beta1) * (grad[i] as number));
  });
  return { param, m: Float64Array.from(state.m, (m, i) => o.beta2 * m + (1 - o.beta2) * (grad[i] as number)) };
}

/** The gradient an optimiser sees: scaled, and 0 where it is not a finite number. */
export function cleaned(grad: ArrayLike<number>, scale: number): Float64Array {
  return Float64Array.from(grad, (g) => (Number.isFinite(g) ? g * scale : 0));
}

/** decay average + (1 - decay) param. */
export function average(old: ArrayLike<number>, param: ArrayLike<number>, decay: number): Float64Array {
  return Float64Array.from(old, (a, i) => decay * a + (1 - decay) * (param[i] as number));
}
