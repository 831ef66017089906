import type { Tape } from '../../autograd/tape.ts';
import type { Tensor } from '../../tensor/index.ts';

/** A network whose features images are compared in. */
export interface FeatureNetwork {
  readonly name: string;
  /** Width of the features. */
  readonly dim: number;
  /** What it takes: channels, height, width. */
  readonly input: readonly [channels: number, height: number, width: number];
  /**
   * How images of another size become of that size: a crop of their centre (they were padded), or bilinear resizing of the image
   * rounded to 8 bits, grey repeated in all channels.
   */
  readonly fit: 'crop' | 'resize';
  /** Images at a time; the caller's choice if left out. */
  readonly batch?: number;
  /** Images [B, H, W, C] in -1..1 -> features [B, dim], and class logits [B, K] where it classifies. */
  forward(tape: Tape, images: Tensor): { features: Tensor; logits?: Tensor };
  /** Frees the weights. */
  free(): void;
}
