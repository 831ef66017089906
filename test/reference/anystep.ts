/** A network's mean velocity of one sample from time t to s <= t. */
export type MeanVelocity = (x: Float64Array, t: number, s: number, label: number) => Float64Array;

/** One sample of a step of any-step training. */
export interface AnyStepSample {
  /** Data and noise. */
  x: ArrayLike<number>;
  z: ArrayLike<number>;
  label: number;
  nullLabel: number;
  t: number;
  s: number;
  /** Share of the way from t to s that goes along the velocity. */
  a: number;
  /** Of the guidance in the velocity. */
  zeta: number;
  residual: 'plain' | 'divided' | 'clamped';
  /** What is trained, and what its target is made with. */
  network: MeanVelocity;
  frozen: MeanVelocity;
}

/** The network's answer at x_t and what it is regressed on, step by step as the formulas have it. */
export function anyStep(o: AnyStepSample): { prediction: Float64Array; target: Float64Array } {
  const x = Float64Array.from(o.x);
  const z = Float64Array.from(o.z);
  const at = x.map((data, i) => o.t * (z[i] as number) + (1 - o.t) * data);
  const prediction = o.network(at, o.t, o.s, o.label);
  const toLabel = o.frozen(at, o.t, o.t, o.label);
  const toNone = o.frozen(at, o.t, o.t, o.nullLabel);
  const v = x.map((data, i) => (z[i] as number) - data + o.zeta * ((toLabel[i] as number) - (toNone[i] as number)));
  const a = o.s === o.t ? 1 : o.a;
  const between = o.t - a * (o.t - o.s);
  const moved = at.map((value, i) => value - (o.t - between) * (v[i] as number));
  const beyond = o.frozen(moved, between, o.s, o.label);
  const whole = v.map((value, i) => a * value + (1 - a) * (beyond[i] as number));
  const target = whole.map((value, i) => {
    const own = prediction[i] as number;
    const delta = (value - own) / a;
    if (o.residual === 'plain') return value;
    if (o.residual === 'divided') return own + delta;
    return own + ((4 * o.t) / Math.sin(1.57 * o.t)) * Math.min(1, Math.max(-1, delta));
  });
  return { prediction, target };
}

/** One sample of a step that is a fake of the model's own, and the noise that it is made of. */
export interface TwinSample extends Omit<AnyStepSample, 'x' | 's' | 'a' | 'zeta' | 'nullLabel'> {
  kind: 'learn' | 'sharpen';
  made: ArrayLike<number>;
}

/** The network's answer and what it is regressed on for a fake, as twins.ts has it. */
export function twin(o: TwinSample): { prediction: Float64Array; target: Float64Array } {
  const made = Float64Array.from(o.made);
  const step = o.frozen(made, 1, 0, o.label);
  const x = made.map((noise, i) => noise - (step[i] as number));
  if (o.kind === 'learn') {
    const negative =
      (f: MeanVelocity): MeanVelocity =>
      (at, t, s, label) =>
        f(at, -t, -s, label);
    const network = negative(o.network);
    return anyStep({ ...o, x, s: o.t, a: 1, zeta: 0, nullLabel: o.label, network });
  }
  const at = x.map((data, i) => o.t * (o.z[i] as number) + (1 - o.t) * data);
  const [fake, real] = [o.frozen(at, -o.t, -o.t, o.label), o.frozen(at, o.t, o.t, o.label)];
  const prediction = o.network(made, 1, 0, o.label);
  const target = prediction.map((f, i) => f - Math.min(1, Math.max(-1, (fake[i] as number) - (real[i] as number))));
  return { prediction, target };
}
