import type { Tape } from '../../autograd/tape.ts';
import type { Weights } from '../../nn/network.ts';
import type { Tensor } from '../../tensor/index.ts';

/** A tensor of a network, made of one or more of a file. */
export interface NetworkTensor {
  readonly name: string;
  /** As the network reads it. */
  readonly shape: readonly number[];
  /** What it is made of, by the architecture's own names. */
  readonly of: readonly FileTensor[];
  /** From the values of `of` to its own; left out, they follow one another as they are. */
  arrange?(values: readonly Float32Array<ArrayBuffer>[]): Float32Array<ArrayBuffer>;
}

export interface FileTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/** An autoencoder without weights: what tensors it has and what it does with them. Images are channel-first on the outside. */
export interface Architecture {
  readonly latentChannels: number;
  readonly downscale: number;
  readonly numbersPerPixel: number;
  readonly tensors: readonly NetworkTensor[];
  encode(tape: Tape, w: Weights, pictures: Tensor): Tensor;
  decode(tape: Tape, w: Weights, latents: Tensor): Tensor;
}
