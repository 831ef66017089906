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

/** Which elements a cautious optimiser moves: those whose average of momentum and gradient agrees with the gradient in sign. */
export function agreeing(m: ArrayLike<number>, grad: ArrayLike<number>, beta1: number): boolean[] {
  return Array.from(grad, (g, i) => (beta1 * (m[i] as number) + (1 - beta1) * g) * g > 0);
}

/** How much farther the agreeing elements of one tensor move: 1 / max(share, 1e-3), or elements / (agreeing + 1). */
export function cautiousScaleOf(mask: readonly boolean[], form: 'adam' | 'lion'): number {
  const agree = mask.filter(Boolean).length;
  return form === 'adam' ? 1 / Math.max(agree / mask.length, 1e-3) : mask.length / (agree + 1);
}

/** UCGM's CAdamW: p -= lr wd p, then AdamW's step where the mask holds, times a scale per element (Liang et al. 2024). */
export function cadamw(
  state: AdamState,
  grad: ArrayLike<number>,
  o: AdamNumbers,
  step: number,
  scales: ArrayLike<number>,
): AdamResult {
  const mask = agreeing(state.m, grad, o.beta1);
  const undecayed = adamw(state, grad, { ...o, weightDecay: 0 }, step);
  const param = undecayed.param.map((p, i) => {
    const old = state.param[i] as number;
    return old * (1 - o.lr * o.weightDecay) + (mask[i] ? (p - old) * (scales[i] as number) : 0);
  });
  return { ...undecayed, param };
}

/** CLion: Lion's step where the mask holds, times a scale per element (Liang et al. 2024). */
export function clion(
  state: Omit<AdamState, 'v'>,
  grad: ArrayLike<number>,
  o: Omit<AdamNumbers, 'eps'>,
  scales: ArrayLike<number>,
): { param: Float64Array; m: Float64Array } {
  const mask = agreeing(state.m, grad, o.beta1);
  const { m, param } = lion(state, grad, o);
  const decayed = Float64Array.from(state.param, (p) => p * (1 - o.lr * o.weightDecay));
  return {
    m,
    param: param.map(
      (p, i) => (decayed[i] as number) + (mask[i] ? (p - (decayed[i] as number)) * (scales[i] as number) : 0),
    ),
  };
}

/** State of D-adapted Adam. */
export interface DistanceState extends AdamState {
  s: ArrayLike<number>;
  /** The estimate, and its numerator. */
  d: number;
  numerator: number;
}

/** D-adapted Adam without bias correction, decay decoupled (Defazio & Mishchenko 2023). */
export function dadapt(state: DistanceState, grad: ArrayLike<number>, o: AdamNumbers) {
  const size = state.d * o.lr;
  const r = Math.sqrt(o.beta2);
  const at = (values: ArrayLike<number>, i: number) => values[i] as number;
  let products = 0;
  for (let i = 0; i < grad.length; i++)
    products += (at(grad, i) * at(state.s, i)) / (Math.sqrt(at(state.v, i)) + o.eps);
  const m = Float64Array.from(state.m, (v, i) => o.beta1 * v + (1 - o.beta1) * size * at(grad, i));
  const v = Float64Array.from(state.v, (w, i) => o.beta2 * w + (1 - o.beta2) * at(grad, i) ** 2);
  const s = Float64Array.from(state.s, (w, i) => r * w + (1 - r) * size * at(grad, i));
  const numerator = r * state.numerator + (1 - r) * size * products;
  const length = s.reduce((sum, w) => sum + Math.abs(w), 0);
  const d = length > 0 ? Math.max(state.d, numerator / ((1 - r) * length)) : state.d;
  const param = Float64Array.from(
    state.param,
    (p, i) => p * (1 - size * o.weightDecay) - at(m, i) / (Math.sqrt(at(v, i)) + o.eps),
  );
  return { param, m, v, s, d, numerator, products, length };
}

/** The gradient an optimiser sees: scaled, and 0 where it is not a finite number. */
export function cleaned(grad: ArrayLike<number>, scale: number): Float64Array {
  return Float64Array.from(grad, (g) => (Number.isFinite(g) ? g * scale : 0));
}

/** decay average + (1 - decay) param. */
export function average(old: ArrayLike<number>, param: ArrayLike<number>, decay: number): Float64Array {
  return Float64Array.from(old, (a, i) => decay * a + (1 - decay) * (param[i] as number));
}

/** SGD with Nesterov's momentum, as torch has it: m = momentum m + g, p -= lr (g + momentum m). */
export function nesterov(
  state: Omit<AdamState, 'v'>,
  grad: ArrayLike<number>,
  lr: number,
  momentum: number,
): { param: Float64Array; m: Float64Array } {
  const m = Float64Array.from(state.m, (v, i) => momentum * v + (grad[i] as number));
  const param = Float64Array.from(state.param, (p, i) => p - lr * ((grad[i] as number) + momentum * (m[i] as number)));
  return { param, m };
}
