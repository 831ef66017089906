import type { Tape } from '../autograd/tape.ts';
import type { Training, VelocityNetwork, Weights } from '../nn/network.ts';
import type { Tensor } from '../tensor/index.ts';
import type { EnhancedStyle, ObjectiveOptions } from './options.ts';

/**
 * How zeta moves the data and the noise: towards the prediction A and away from B, for * in {x, z}.
 * ft-vs-fe: A is the network in training, B the teacher at the null label. fc-vs-xz: A is the teacher, B the data itself.
 * fc-vs-fe: A is the teacher, B the teacher at the null label, which is ordinary guidance.
 */
export type Style = Exclude<EnhancedStyle, 'auto'>;

/** The style of a training: `auto` is the reference's choice, ft-vs-fe at lambda 0 and fc-vs-xz above. */
export function styleOf({ enhanced_style = 'auto', consistc_ratio }: ObjectiveOptions): Style {
  if (enhanced_style !== 'auto') return enhanced_style;
  return consistc_ratio === 0 ? 'ft-vs-fe' : 'fc-vs-xz';
}

/** Weights of * and of the two predictions in the enhanced *. */
export interface Enhancement {
  readonly own: number;
  readonly a: number;
  readonly b: number;
}

/**
 * The enhanced * of one sample, * = own * + a A + b B: inside the range * + zeta (A - B); outside it (* + A) / 2; with a dropped
 * label (* + B) / 2 at any time (arXiv 2505.07447, the enhanced target). At lambda 0 a zeta of 1 and more becomes (zeta - 1) / zeta.
 */
export function enhancement(options: ObjectiveOptions, t: number, dropped: boolean): Enhancement {
  const { enhanced_ratio: given, consistc_ratio, enhanced_range } = options;
  if (given === 0) return { own: 1, a: 0, b: 0 };
  const zeta = consistc_ratio === 0 && given >= 1 ? (given - 1) / given : given;
  const inside = t > enhanced_range[0] && t < enhanced_range[1];
  const moved = dropped
    ? { own: 0.5, a: 0, b: 0.5 }
    : inside
      ? { own: 1, a: zeta, b: -zeta }
      : { own: 0.5, a: 0.5, b: 0 };
  return styleOf(options) === 'fc-vs-xz' ? { own: moved.own + moved.b, a: moved.a, b: 0 } : moved;
}

/** The velocities of A and B, and what was made for them: to be released when they are read. */
export interface EnhancedVelocities {
  readonly a: Tensor;
  readonly b?: Tensor;
  readonly made: readonly Tensor[];
}

/** Asks the teacher for the velocities that the style compares, at x_t; `online` is the network's own. No pass is recorded. */
export function enhancedVelocities(
  tape: Tape,
  network: VelocityNetwork,
  teacher: Weights,
  options: ObjectiveOptions,
  o: {
    readonly xt: Tensor;
    readonly t: Tensor;
    readonly y: Tensor;
    readonly yNull: Tensor;
    readonly online: Tensor;
    readonly training?: { readonly teacher: Training } | undefined;
  },
): EnhancedVelocities {
  const style = styleOf(options);
  const ask = (y: Tensor) =>
    tape.block([o.xt], () => network.forward(tape, teacher, o.xt, o.t, y, undefined, o.training?.teacher)); // [B, C, H, W]
  const a = style === 'ft-vs-fe' ? o.online : ask(o.y);
  const b = style === 'fc-vs-xz' ? undefined : ask(o.yNull);
  return { a, ...(b && { b }), made: [a, b].filter((t): t is Tensor => t !== undefined && t !== o.online) };
}
