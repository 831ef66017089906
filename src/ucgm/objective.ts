import type { Tape } from '../autograd/tape.ts';
import { lincomb } from '../kernels/lincomb.ts';
import { lossBackward, lossForward, lossTotal } from '../kernels/loss.ts';
import type { Training, VelocityNetwork, Weights } from '../nn/network.ts';
import { count, type Tensor } from '../tensor/index.ts';
import { consistencyTarget } from './consistency.ts';
import { enhancedVelocities } from './enhancement.ts';
import type { ObjectiveOptions } from './options.ts';

/** What the passes of a step drop: those of the network in training the same in all of them. */
export interface TrainingPasses {
  readonly online: Training;
  /** Of the teacher: the same, but where lambda and zeta are both set, as the reference has it. */
  readonly teacher: Training;
}

/** One batch on the GPU, with the per-sample numbers of `multiStepCoefficients`. */
export interface StepInputs {
  /** Data [B, C, H, W]. */
  readonly x: Tensor;
  /** Noise, as x. */
  readonly z: Tensor;
  /** Times f32 [B]. */
  readonly t: Tensor;
  /** Labels u32 [B], dropped ones already the null class. */
  readonly y: Tensor;
  /** The null class, u32 [B]. */
  readonly yNull: Tensor;
  /** What passes drop, of a network that does. */
  readonly training?: TrainingPasses;
  /** [B, 2], [B, 4], [B]. */
  readonly path: Tensor;
  readonly target: Tensor;
  readonly weight: Tensor;
  /** [B, ROW.stride], [B], [B], of `consistencyCoefficients`; needed where lambda is not 0. */
  readonly consistency?: { readonly rows: Tensor; readonly first: Tensor; readonly second: Tensor };
}

export interface ObjectiveResult {
  /** F(x_t, t, y) [B, C, H, W]; dead after the backward. */
  readonly velocity: Tensor;
  /** What F is regressed on. */
  readonly target: Tensor;
  /** [B]. */
  readonly perSample: Tensor;
  /** Sends the loss's gradient to the weights. */
  readonly backward: () => void;
}

/** Where a step's loss goes. */
export interface LossPlace {
  /** The mean, into element `slot`. */
  readonly values: Tensor;
  readonly slot: number;
  /** [B]: the loss of each sample, before its weight; a tensor of the step if left out. */
  readonly perSample?: Tensor;
}

/**
 * The objective of UCGM-T: F at x_t with gradient, the target (at lambda 0 the velocity, enhanced by the teacher; else the
 * consistency target), the loss. The total goes to `total[slot]`. Only F's own pass is recorded. `tape` must record for
 * `backward` to be called.
 */
export function objective(
  tape: Tape,
  inference: Tape,
  network: VelocityNetwork,
  online: Weights,
  teacher: Weights | undefined,
  options: ObjectiveOptions,
  inputs: StepInputs,
  total: LossPlace,
): ObjectiveResult {
  const { device } = tape.workspace;
  const batch = inputs.x.shape[0] as number;
  const n = count(inputs.x.shape.slice(1));
  const shape = { batch, n };

  const xt = tape.alloc(...inputs.x.shape); // [B, C, H, W]
  tape.run(
    lincomb.prepare(device, { inputs: 2 }),
    { u0: inputs.x, u1: inputs.z, coefs: inputs.path, out: xt },
    { ...shape, coef_stride: 2 },
  );
  const velocity = network.forward(tape, online, xt, inputs.t, inputs.y, undefined, inputs.training?.online); // [B, C, H, W]

  const target = tape.alloc(...inputs.x.shape); // [B, C, H, W]
  const uncombined = { u0: inputs.x, u1: inputs.z, coefs: inputs.target, out: target };
  if (inputs.consistency) {
    const comparable = inference.precision === tape.precision;
    const parts = { ...inputs, ...inputs.consistency, xt, velocity, comparable };
    consistencyTarget(inference, network, online, teacher, options, parts, target);
  } else if (teacher) {
    const { a, b, made } = enhancedVelocities(inference, network, teacher, options, {
      ...inputs,
      xt,
      online: velocity,
    });
    const kernel = lincomb.prepare(device, { inputs: b ? 4 : 3 });
    tape.run(kernel, { ...uncombined, u2: a, u3: b }, { ...shape, coef_stride: 4 });
    for (const tensor of made) tape.release(tensor);
  } else {
    tape.run(lincomb.prepare(device, { inputs: 2 }), uncombined, { ...shape, coef_stride: 4 });
  }

  return withLoss(tape, velocity, target, inputs.weight, options, total);
}

/** Which loss compares the velocity with its target. */
export interface LossChoice {
  readonly wt_cosine_loss: boolean;
  readonly scaled_cbl_eps: number;
  /** The mean squared error instead of its root. */
  readonly squared?: boolean;
  /** The gradient of the mean square, weighted by (mean square + scaled_cbl_eps)^-power. */
  readonly power?: number;
}

/** The loss between a recorded velocity and its target, weighted by `weight` [B], its mean into `total[slot]`; and its backward. */
export function withLoss(
  tape: Tape,
  velocity: Tensor,
  target: Tensor,
  weight: Tensor,
  choice: LossChoice,
  total: LossPlace,
): ObjectiveResult {
  const { device } = tape.workspace;
  const [batch, channels] = velocity.shape as [number, number, number, number];
  const pixels = velocity.count / batch / channels;
  const cosine = choice.wt_cosine_loss;
  const perSample = total.perSample ?? tape.alloc(batch);
  const root = tape.alloc(batch);
  const pair = { prediction: velocity, target_value: target };
  tape.run(
    lossForward.prepare(device, { cosine, squared: choice.squared ?? false, powered: choice.power !== undefined }),
    { ...pair, per_sample: perSample, root },
    { batch, channels, pixels, c: choice.scaled_cbl_eps, power: choice.power },
  );
  const slots = total.values.count;
  tape.run(
    lossTotal.prepare(device),
    { per_sample: perSample, weights: weight, total: total.values },
    { batch, slot: total.slot, slots },
  );
  return {
    velocity,
    target,
    perSample,
    backward: () => {
      const dprediction = tape.alloc(...velocity.shape);
      const backward = lossBackward.prepare(device, { cosine });
      tape.run(backward, { ...pair, root, weights: weight, dprediction }, { batch, channels, pixels });
      tape.backward(velocity, dprediction);
    },
  };
}
