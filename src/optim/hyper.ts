/** Settings that Adam's family shares. */
export interface AdamSettings {
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
}

/**
 * The `hyper` buffer of shaders/adam_step.wgsl for one step (the first is 1), with the bias corrections folded in, in doubles.
 * AdamW is the reference's: p -= s (wd p + m / (sqrt(v) + eps)), s = lr sqrt(1 - b2^t) / (1 - b1^t). Adam is torch's: decay
 * goes into the gradient, and eps is added to sqrt(v / (1 - b2^t)).
 * @throws RangeError for a step below 1, where the corrections divide by zero.
 */
export function adamHyper(type: 'Adam' | 'AdamW', o: AdamSettings, step: number): Float32Array<ArrayBuffer> {
  if (!(step >= 1)) throw new RangeError(`optimiser step is ${step}. Fix: count steps from 1`);
  const root2 = Math.sqrt(1 - o.beta2 ** step);
  const size = (o.lr * root2) / (1 - o.beta1 ** step);
  const coupled = type === 'Adam';
  return new Float32Array([
    size,
    o.beta1,
    1 - o.beta1,
    o.beta2,
    1 - o.beta2,
    coupled ? o.eps * root2 : o.eps,
    coupled ? o.weightDecay : 0,
    coupled ? 0 : o.weightDecay,
  ]);
}
