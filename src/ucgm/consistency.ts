import type { Tape } from '../autograd/tape.ts';
import { lincomb } from '../kernels/lincomb.ts';
import type { Training, VelocityNetwork, Weights } from '../nn/network.ts';
import { power } from '../rng/elementary.ts';
import { type Shard, wholeBatch } from '../rng/shard.ts';
import { count, type Tensor } from '../tensor/index.ts';
import { enhancedVelocities, enhancement } from './enhancement.ts';
import { firstDropped, isTurned, type ObjectiveOptions } from './options.ts';
import { denominator, QUARTER_TURN, TRANSPORTS, type Transport, transportNamed } from './transport.ts';

/** The lambda that stands for the limit 1: its quotient reaches back by a hundredth of t. */
const LIMIT = 0.99;
/** Half the step of the reference's central difference at lambda = 1. */
const HALF_STEP = 0.005;
/** Least time that is divided by: at 0 the difference over (1 - lambda) t and 4 / sin(1.57 t) have no value. */
const LEAST_TIME = 1e-4;

/** Numbers of a sample, by where they lie in a row of the coefficients. */
export const ROW = { x: 0, z: 4, first: 8, second: 10, difference: 12, stride: 20 } as const;

/** Per-sample numbers of the consistency target (lambda > 0), from the batch's times. */
export interface ConsistencyCoefficients {
  /**
   * [B, ROW.stride]: x* = [0] x + [1] z + [2] F_A + [3] F_B; z* = [4] x + [5] z + [6] F_A + [7] F_B; the two points [8] x* + [9] z*
   * and [10] x* + [11] z*; the difference [12] F_1 + [13] F_2 + [14] x_1 + [15] x_2; and [16], its factor in the target. A and B are
   * what the style of the enhancement compares.
   */
  readonly rows: Float32Array<ArrayBuffer>;
  /** [B]: the times of the two points; the first is t itself, whose velocity is known, but for the central difference. */
  readonly first: Float32Array<ArrayBuffer>;
  readonly second: Float32Array<ArrayBuffer>;
}

/**
 * The transport that the consistency target is made with, in terms of the network's time: noise must be at time 1. ReLinear
 * has it at 0, so its two ends change roles: Linear at 1 - t, of a network whose output is turned round. The reference does
 * not, and its ReLinear models do not learn so; `compat: 'reference'` follows it.
 */
function rolesOf(options: ObjectiveOptions): { transport: Transport; turned: boolean } {
  const turned = isTurned(options);
  return { transport: turned ? TRANSPORTS.Linear : transportNamed(options.transport_type), turned };
}

/**
 * At lambda = 1 D is a derivative. Stepping F towards its target moves what F knows at small t, next to the data, to larger t: for
 * Linear, with s the training time and k = 4 t / sin(1.57 t), dF/ds = k (v - F - t dF/dt), an advection. A difference that looks both
 * ways is unstable under explicit steps unless they are very small, one that looks back, where the news comes from, is not
 * (docs/what-did-not-work.md has the two trainings). `compat: 'reference'` looks both ways, as the reference does.
 */
function isCentral(options: ObjectiveOptions): boolean {
  return options.consistc_ratio === 1 && options.compat === 'reference';
}

/**
 * lambda at a step: consistc_ratio, or on its way there from consistc_start, 1 - lambda exponentially, as SoFlow's a (arXiv
 * 2512.15657), which it is; in f64, the same in every engine.
 */
export function lambdaAt({ consistc_ratio, consistc_start, consistc_steps }: ObjectiveOptions, step: number): number {
  if (consistc_start === undefined || consistc_steps === undefined || step >= consistc_steps) return consistc_ratio;
  const [first, last] = [consistc_start, consistc_ratio].map((lambda) => 1 - Math.min(lambda, LIMIT)) as [
    number,
    number,
  ];
  return 1 - first * power(last / first, step / consistc_steps);
}

/**
 * The consistency part of UCGM-T (lambda > 0; arXiv 2505.07447, the training algorithm), in f64: with f(r) the prediction of
 * x at time r on the path of x* and z*, D = (f(t) - f(lambda t)) / ((1 - lambda) t), and target =
 * F_t - (a/den) (4 / sin(1.57 t)) clamp(D, -1, 1). Lambda = 1 is taken as 0.99; the reference has
 * D = (f(t + 0.005) - f(t - 0.005)) / 0.01 there. x* and z* are the data and noise, moved where zeta is not 0, see enhancement.ts.
 * @param ratio lambda of the step, 0 too; what zeta does is by `options`.
 */
export function consistencyCoefficients(
  options: ObjectiveOptions,
  times: ArrayLike<number>,
  shard: Shard = wholeBatch(times.length),
  ratio: number = options.consistc_ratio,
): ConsistencyCoefficients {
  const { transport, turned } = rolesOf(options);
  const { a, g, da } = transport;
  const batch = times.length;
  const rows = new Float32Array(batch * ROW.stride);
  const first = new Float32Array(batch);
  const second = new Float32Array(batch);
  const sign = turned ? -1 : 1;
  const central = isCentral(options);
  const lambda = ratio === 1 ? LIMIT : ratio;
  const droppedFrom = firstDropped(options.lab_drop_ratio, batch, shard);
  for (let b = 0; b < batch; b++) {
    const given = turned ? 1 - (times[b] as number) : (times[b] as number);
    const t = Math.max(LEAST_TIME, given);
    const [r1, r2] = central ? [t + HALF_STEP, t - HALF_STEP] : [t, lambda * t];
    const span = central ? 2 * HALF_STEP : (1 - lambda) * t;
    const row = rows.subarray(b * ROW.stride, (b + 1) * ROW.stride);
    row.set(enhancedPath(options, transport, given, sign, b >= droppedFrom), ROW.x);
    row.set([g(r1), a(r1)], ROW.first);
    row.set([g(r2), a(r2)], ROW.second);
    const [den1, den2] = [denominator(transport, r1), denominator(transport, r2)];
    const velocities = [(sign * a(r1)) / den1, (-sign * a(r2)) / den2];
    const points = [-da(r1) / den1, da(r2) / den2];
    row.set(
      [...velocities, ...points].map((v) => v / span),
      ROW.difference,
    );
    row[ROW.difference + 4] = (-sign * a(t) * 4) / (denominator(transport, t) * Math.sin(QUARTER_TURN * t));
    first[b] = turned ? 1 - r1 : r1;
    second[b] = turned ? 1 - r2 : r2;
  }
  return { rows, first, second };
}

/** x* and z* of one sample as combinations of x, z and the velocities A and B. */
function enhancedPath(
  options: ObjectiveOptions,
  transport: Transport,
  t: number,
  sign: number,
  dropped: boolean,
): number[] {
  const moved = enhancement(options, t, dropped);
  const { a, g, da, dg } = transport;
  const den = denominator(transport, t);
  // x_hat = (F a - x_t a')/den and z_hat = (x_t g' - F g)/den with x_t = a z + g x: their parts of x, of z, and of F
  const xHat = [(-g(t) * da(t)) / den, (-a(t) * da(t)) / den, (sign * a(t)) / den] as const;
  const zHat = [(g(t) * dg(t)) / den, (a(t) * dg(t)) / den, (-sign * g(t)) / den] as const;
  const row = ([x, z, f]: readonly [number, number, number], unit: readonly [number, number]) => {
    const both = moved.a + moved.b;
    return [moved.own * unit[0] + both * x, moved.own * unit[1] + both * z, moved.a * f, moved.b * f];
  };
  return [...row(xHat, [1, 0]), ...row(zHat, [0, 1])];
}

/** What the consistency target of a batch is made from, on the GPU. */
export interface ConsistencyInputs {
  /** [B, C, H, W]: data, noise, the point x_t and F there. */
  readonly x: Tensor;
  readonly z: Tensor;
  readonly xt: Tensor;
  readonly velocity: Tensor;
  /** Whether F is of the precision of the passes here; one of another is asked for again, to be compared with them. */
  readonly comparable: boolean;
  /** f32 [B], u32 [B]. */
  readonly t: Tensor;
  readonly y: Tensor;
  /** The null class, u32 [B]. */
  readonly yNull: Tensor;
  /** What passes drop. */
  readonly training?: { readonly online: Training; readonly teacher: Training } | undefined;
  /** As consistencyCoefficients gives them: [B, ROW.stride], [B], [B]. */
  readonly rows: Tensor;
  readonly first: Tensor;
  readonly second: Tensor;
}

/** Writes the consistency target into `target` [B, C, H, W]. No pass of it is recorded. */
export function consistencyTarget(
  tape: Tape,
  network: VelocityNetwork,
  online: Weights,
  teacher: Weights | undefined,
  options: ObjectiveOptions,
  o: ConsistencyInputs,
  target: Tensor,
): void {
  const { device } = tape.workspace;
  const shape = o.x.shape;
  const dims = {
    batch: shape[0] as number,
    n: count(shape.slice(1)),
    coef_stride: ROW.stride,
  };
  const combine = (out: Tensor, coef_offset: number, u0: Tensor, u1: Tensor, u2?: Tensor, u3?: Tensor) => {
    const kernel = lincomb.prepare(device, { inputs: u3 ? 4 : u2 ? 3 : 2 });
    tape.run(kernel, { u0, u1, u2, u3, coefs: o.rows, out }, { ...dims, coef_offset });
    return out;
  };
  const ask = (weights: Weights, x: Tensor, t: Tensor) =>
    tape.block([x], () => network.forward(tape, weights, x, t, o.y, undefined, o.training?.online));

  const made: Tensor[] = [];
  const alloc = () => {
    const tensor = tape.alloc(...shape);
    made.push(tensor);
    return tensor;
  };
  let [x, z] = [o.x, o.z];
  if (teacher) {
    const { a, b, made: asked } = enhancedVelocities(tape, network, teacher, options, { ...o, online: o.velocity });
    made.push(...asked);
    [x, z] = [combine(alloc(), ROW.x, o.x, o.z, a, b), combine(alloc(), ROW.z, o.x, o.z, a, b)];
  }
  const x1 = combine(alloc(), ROW.first, x, z);
  const x2 = combine(alloc(), ROW.second, x, z);
  let f1 = o.velocity;
  if (isCentral(options) || !o.comparable) {
    f1 = ask(online, x1, o.first);
    made.push(f1);
  }
  const f2 = ask(online, x2, o.second);
  made.push(f2);
  const kernel = lincomb.prepare(device, { inputs: 4, clamped: true });
  const parts = { u0: f1, u1: f2, u2: x1, u3: x2, origin: o.velocity, coefs: o.rows, out: target };
  tape.run(kernel, parts, { ...dims, coef_offset: ROW.difference });
  for (const tensor of made) tape.release(tensor);
}
