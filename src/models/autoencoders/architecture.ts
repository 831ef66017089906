import type { Tape } from '../../autograd/tape.ts';
import type { Weights } from '../../nn/network.ts';
import type { Tensor } from '../../tensor/index.ts';

/** A tensor of a file. */
export interface FileTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/** A tensor of a network, made of some of a file. */
export interface NetworkTensor {
  readonly name: string;
  /** As the network reads it. */
  readonly shape: readonly number[];
  /** What it is made of, by the architecture's own names; a constant of nothing. */
  readonly of: readonly FileTensor[];
  /** Weights of a convolution in groups, which stay in one. */
  readonly grouped?: boolean;
  /** From the values of `of` to its own; left out, they follow one another as they are. */
  arrange?(values: readonly Float32Array<ArrayBuffer>[]): Float32Array<ArrayBuffer>;
}

/** The tensors of a file that together, one after the other, are one of the architecture's own. */
export type Naming = (part: FileTensor) => readonly FileTensor[];

/** An autoencoder without weights: what tensors it has and what it does with them. Images are channel-first on the outside. */
export interface Architecture {
  readonly latentChannels: number;
  readonly downscale: number;
  readonly numbersPerPixel: number;
  readonly tensors: readonly NetworkTensor[];
  /** How a file with these names names them; as the architecture if left out. */
  naming?(names: ReadonlySet<string>): Naming;
  /** Tensors of its files that it has no use for: training's. */
  readonly unused?: RegExp;
  encode(tape: Tape, w: Weights, pictures: Tensor): Tensor;
  decode(tape: Tape, w: Weights, latents: Tensor): Tensor;
}
