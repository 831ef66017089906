import { droppedLabels, type ObjectiveOptions } from './options.ts';
import { cosineWeight, transportNamed } from './transport.ts';

/** Per-sample numbers of one multi-step training step, from its times: what the kernels need to know of the method. */
export interface StepCoefficients {
  /** [B, 2]: x_t = [0] x + [1] z. */
  readonly path: Float32Array<ArrayBuffer>;
  /** [B, 4]: target = [0] x + [1] z + [2] F_online + [3] F_teacher(null). */
  readonly target: Float32Array<ArrayBuffer>;
  /** [B]: weight of each sample's loss. */
  readonly weight: Float32Array<ArrayBuffer>;
}

/**
 * Multi-step UCGM-T (lambda = 0; arXiv 2505.07447, the training algorithm, and the reference's style ft-vs-fe), in f64.
 *
 * The enhanced x*, z* replace x and z only in the target a' z* + g' x*. A network's x_hat and z_hat satisfy
 * a' z_hat + g' x_hat = F, so every case is a combination of v = a' z + g' x and the two velocities:
 * inside the range v + zeta (F - F_null); outside (v + F)/2; rows whose label was dropped (v + F_null)/2 at any time.
 */
export function multiStepCoefficients(options: ObjectiveOptions, times: ArrayLike<number>): StepCoefficients {
  const { a, g, da, dg } = transportNamed(options.transport_type);
  const batch = times.length;
  const path = new Float32Array(batch * 2);
  const target = new Float32Array(batch * 4);
  const weight = new Float32Array(batch);
  const enhanced = options.enhanced_ratio !== 0;
  const zeta =
    options.enhanced_ratio >= 1 ? (options.enhanced_ratio - 1) / options.enhanced_ratio : options.enhanced_ratio;
  const [lo, hi] = options.enhanced_range;
  const firstDropped = batch - droppedLabels(options.lab_drop_ratio, batch);
  for (let b = 0; b < batch; b++) {
    const t = times[b] as number;
    path.set([g(t), a(t)], b * 2);
    weight[b] = options.weight_function === 'Cosine' ? cosineWeight(t) : 1;
    let v = 1;
    let online = 0;
    let teacher = 0;
    if (enhanced) {
      if (t > lo && t < hi) [online, teacher] = [zeta, -zeta];
      else [v, online] = [0.5, 0.5];
      if (b >= firstDropped) [v, online, teacher] = [0.5, 0, 0.5];
    }
    target.set([v * dg(t), v * da(t), online, teacher], b * 4);
  }
  return { path, target, weight };
}

/** True when the target needs a teacher's velocity at the null label. */
export function needsTeacher(options: ObjectiveOptions): boolean {
  return options.enhanced_ratio !== 0;
}
