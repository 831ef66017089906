import { TensorError } from '../tensor/index.ts';

/** The optimisers that one kernel computes, see `adamHyper`. */
export const ADAM_TYPES = ['AdamW', 'Adam', 'RAdam', 'CAdamW'] as const;

export type AdamType = (typeof ADAM_TYPES)[number];

/** Settings that Adam's family shares. */
export interface AdamSettings {
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
}

/**
 * The `hyper` buffer of shaders/adam_step.wgsl for one step (the first is 1) but for its last number, the average's decay, with the bias corrections folded in, in doubles.
 * AdamW is the reference's: p -= s (wd p + m / (sqrt(v) + eps)), s = lr sqrt(1 - b2^t) / (1 - b1^t). Adam is torch's: decay
 * goes into the gradient, and eps is added to sqrt(v / (1 - b2^t)). RAdam is torch's (Liu et al. 2019): decay as Adam's, the
 * step rectified, and plain momentum while fewer than some five squared gradients are in the average (rho_t <= 5). CAdamW is
 * AdamW but for its decay, lr wd p, and the mask, which is made elsewhere (Liang et al. 2024).
 * @throws TensorError for a step below 1, where the corrections divide by zero.
 */
export function adamHyper(type: AdamType, o: AdamSettings, step: number): Float32Array<ArrayBuffer> {
  if (!(step >= 1)) throw new TensorError(`optimiser step is ${step}`, 'count steps from 1');
  const root2 = Math.sqrt(1 - o.beta2 ** step);
  const size = (o.lr * root2) / (1 - o.beta1 ** step);
  const coupled = type === 'Adam' || type === 'RAdam';
  const decoupled = type === 'CAdamW' ? (o.weightDecay * (1 - o.beta1 ** step)) / root2 : o.weightDecay; // a rate of 0 may come, too
  const decay = coupled ? [o.weightDecay, 0] : [0, decoupled];
  const moments = [o.beta1, 1 - o.beta1, o.beta2, 1 - o.beta2];
  if (type !== 'RAdam') return new Float32Array([size, ...moments, coupled ? o.eps * root2 : o.eps, ...decay, 1]);
  const rectified = rectification(o.beta2, step);
  if (rectified === undefined) return new Float32Array([size / root2, ...moments, 1, ...decay, 0]);
  return new Float32Array([size * rectified, ...moments, o.eps, ...decay, 1]);
}

/** RAdam's factor of the step; undefined while the variance of the adaptive step has no bound. */
function rectification(beta2: number, step: number): number | undefined {
  const limit = 2 / (1 - beta2) - 1;
  const power = beta2 ** step;
  const rho = limit - (2 * step * power) / (1 - power);
  if (rho <= 5) return undefined;
  return Math.sqrt(((rho - 4) * (rho - 2) * limit) / ((limit - 4) * (limit - 2) * rho));
}

/** The `hyper` buffer of shaders/lion_step.wgsl: p = (1 - lr wd) p - lr sign(b1 m + (1 - b1) g), m = b2 m + (1 - b2) g. */
export function lionHyper(o: Omit<AdamSettings, 'eps'>): Float32Array<ArrayBuffer> {
  return new Float32Array([o.lr, o.beta1, 1 - o.beta1, o.beta2, 1 - o.beta2, o.lr * o.weightDecay]);
}

/**
 * The `hyper` buffers of D-adapted Adam: of shaders/dadapt_moments.wgsl [8] and of shaders/dadapt_step.wgsl [2]. There is no bias
 * correction: the reference has none.
 */
export function dadaptHyper(o: AdamSettings): { moments: Float32Array<ArrayBuffer>; step: Float32Array<ArrayBuffer> } {
  const root = Math.sqrt(o.beta2);
  return {
    moments: new Float32Array([o.lr, o.beta1, 1 - o.beta1, o.beta2, 1 - o.beta2, o.eps, root, 1 - root]),
    step: new Float32Array([o.eps, o.lr * o.weightDecay]),
  };
}

/** The `hyper` buffer of shaders/muon_momentum.wgsl and shaders/muon_step.wgsl. */
export function muonHyper(o: { lr: number; momentum: number; weightDecay: number }): Float32Array<ArrayBuffer> {
  return new Float32Array([o.momentum, 1 - o.momentum, o.lr, o.lr * o.weightDecay]);
}
