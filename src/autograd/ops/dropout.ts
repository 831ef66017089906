import { dropout as kernel } from '../../kernels/random.ts';
import type { Tensor } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

/** Where a layer's mask is drawn from. */
export interface DropoutDraw {
  /** u32 [4]: (seed, stream, step_lo, step_hi), written before the step. */
  readonly key: Tensor;
  /** Layers of one key draw apart. */
  readonly layer: number;
  /** Samples of the whole batch before those of x. Default 0. */
  readonly firstSample?: number;
}

/**
 * Dropout: each element is 0 with probability `rate`, else over 1 - rate. The mask is a function of the key, the layer and the element's
 * place in the whole batch: it is drawn again in the backward, and two passes of one key have one mask. x [B, ...] -> same shape.
 */
export function dropout(tape: Tape, x: Tensor, rate: number, { key, layer, firstSample = 0 }: DropoutDraw): Tensor {
  const { device } = tape.workspace;
  const dims = { count: x.count, first: firstSample * (x.count / (x.shape[0] as number)), layer, rate };
  const out = tape.alloc(...x.shape);
  tape.run(kernel.prepare(device), { key, x, out }, dims);
  return tape.push({
    op: 'dropout',
    inputs: [x],
    output: out,
    saved: [],
    vjp: (dout, sink) => sink.give(x, (dx) => tape.run(kernel.prepare(device), { key, x: dout, out: dx }, dims)),
  });
}
