import type { Tape } from '../autograd/tape.ts';
import type { ParameterSpec, Tensor, Workspace } from '../tensor/index.ts';

/** How a parameter starts: `scale` u, with u = 1, uniform in [-1, 1), or standard normal. */
export interface Start {
  readonly draw: 'constant' | 'uniform' | 'normal';
  /** Rounded to f32, so that the device draws what the host does. */
  readonly scale: number;
}

/** A parameter's name, shape and how it starts: as numbers, or by a name that networks often use. */
export interface InitSpec extends ParameterSpec {
  /** xavier is uniform in +-sqrt(6 / (in + out)), with a convolution's kernel flattened. */
  readonly init: 'zeros' | 'ones' | 'xavier' | 'normal0.02' | Start;
}

/** A constant table a network reads and a checkpoint may carry: never trained. */
export interface ConstantSpec extends ParameterSpec {
  readonly data: Float32Array<ArrayBuffer>;
  /** True for random numbers: of a checkpoint they are part, and its own go on. */
  readonly random?: boolean;
}

/** Where a network finds its tensors, by the names of its specs. */
export interface Weights {
  get(name: string): Tensor;
  has(name: string): boolean;
}

/** Anything that has weights: what a weight store and a learner know of a network. */
export interface Module {
  readonly parameters: readonly InitSpec[];
  readonly constants: readonly ConstantSpec[];
  /**
   * Whether precision mixed is one of its own: true where its passes store activations as the tape says (`tape.dtype`), 'products' where
   * activations stay f32, and convolutions and attention round what they multiply.
   */
  readonly halves?: boolean | 'products';
  /**
   * What becomes of weights in place before an optimiser steps from them, or an average of them goes on: EDM2's forced normalisation.
   * Records kernels alone, which change nothing where `clip` [4], if there is one, holds the step.
   */
  force?(workspace: Workspace, weights: Weights, clip?: Tensor): void;
}

/**
 * A pass in training, where a network may be another function than in sampling: what it drops. Passes that drop the same are given
 * equal ones.
 */
export interface Training {
  /**
   * Dropout of x [B, ..., C]: layer number `layer` of the network, by its name. Elements are 0 with probability `rate`, else over
   * 1 - rate. The same commands each time: masks come from data.
   */
  dropout(tape: Tape, x: Tensor, rate: number, layer: number, name: string): Tensor;
}

/** Classifier-free guidance as an input of a network, f32 [B] each: the velocity is then a guided one, in one pass. */
export interface GuidanceInput {
  /** 1 - 1 / w of the scale w: 0 for none, below 1. */
  readonly strength: Tensor;
  /** The times between which it acts. */
  readonly from: Tensor;
  readonly to: Tensor;
}

/** What the trainer and the sampler know of a network: velocity F(x_t, t, y). */
export interface VelocityNetwork extends Module {
  /** Channels, height, width of x. */
  readonly input: readonly [channels: number, height: number, width: number];
  /** Number of classes K; label K is the null class. Below 2 the network is unconditional. */
  readonly numClasses: number;
  /** True when the velocity is the mean one from t to an earlier time: `forward` then needs their distance. */
  readonly twoTimes?: boolean;
  /** True when it takes guidance as an input, which `forward` then needs. */
  readonly guidanceInput?: boolean;
  /**
   * x [B, C, H, W], t f32 [B], y u32 [B] (labels up to K), span f32 [B] (of two times: t - tt) -> velocity [B, C, H, W];
   * `training` where it is a pass of a training step, the teacher's too; `guidance` where the network takes it. It records the
   * same commands each time that it is given the same tensors: a trainer keeps them after two steps alike (`SteadyStep`).
   */
  forward(
    tape: Tape,
    weights: Weights,
    x: Tensor,
    t: Tensor,
    y: Tensor,
    span?: Tensor,
    training?: Training,
    guidance?: GuidanceInput,
  ): Tensor;
  /** Channels that the reference guides, where it is not all of them; used under `compat: 'reference'`. */
  readonly referenceGuidedChannels?: number;
  /** True where a pass in training drops elements. */
  readonly drops?: boolean;
}
