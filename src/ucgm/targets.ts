import { type Shard, wholeBatch } from '../rng/shard.ts';
import { enhancement } from './enhancement.ts';
import { firstDropped, isTurned, type ObjectiveOptions } from './options.ts';
import { cosineWeight, transportNamed } from './transport.ts';

/** Per-sample numbers of one multi-step training step, from its times: what the kernels need to know of the method. */
export interface StepCoefficients {
  /** [B, 2]: x_t = [0] x + [1] z. */
  readonly path: Float32Array<ArrayBuffer>;
  /** [B, 4]: target = [0] x + [1] z + [2] F_A + [3] F_B, the velocities that the style of the enhancement compares. */
  readonly target: Float32Array<ArrayBuffer>;
  /** [B]: weight of each sample's loss. */
  readonly weight: Float32Array<ArrayBuffer>;
}

/**
 * Multi-step UCGM-T (lambda = 0; arXiv 2505.07447, the training algorithm), in f64.
 *
 * The enhanced x*, z* replace x and z only in the target a' z* + g' x*. A network's x_hat and z_hat satisfy
 * a' z_hat + g' x_hat = F, so the target is own v + a F_A + b F_B with v = a' z + g' x and the weights of `enhancement`.
 */
export function multiStepCoefficients(
  options: ObjectiveOptions,
  times: ArrayLike<number>,
  shard: Shard = wholeBatch(times.length),
): StepCoefficients {
  const { a, g, da, dg } = transportNamed(options.transport_type);
  const batch = times.length;
  const path = new Float32Array(batch * 2);
  const target = new Float32Array(batch * 4);
  const weight = new Float32Array(batch);
  const droppedFrom = firstDropped(options.lab_drop_ratio, batch, shard);
  for (let b = 0; b < batch; b++) {
    const t = times[b] as number;
    path[b * 2] = g(t);
    path[b * 2 + 1] = a(t);
    weight[b] = options.weight_function === 'Cosine' ? cosineWeight(isTurned(options) ? 1 - t : t) : 1;
    const moved = enhancement(options, t, b >= droppedFrom);
    target[b * 4] = moved.own * dg(t);
    target[b * 4 + 1] = moved.own * da(t);
    target[b * 4 + 2] = moved.a;
    target[b * 4 + 3] = moved.b;
  }
  return { path, target, weight };
}

/** True when the target needs a teacher's velocity. */
export function needsTeacher(options: ObjectiveOptions): boolean {
  return options.enhanced_ratio !== 0;
}
