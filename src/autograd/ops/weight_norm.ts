import { forceWeights, weightNormBackward, weightNorm as weightNormKernel } from '../../kernels/weight_norm.ts';
import { count, type Tensor, TensorError, type Workspace } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';
import { columnSums } from './product.ts';

export interface ConvWeightOptions {
  /** Rows i n + j become rows j rows / n + i: what lies interleaved comes together. Default 1. */
  interleave?: number;
  /** EDM2's weights: each row divided by eps + its root mean square, times scale gain / sqrt(numbers in a row). */
  normed?: {
    eps: number;
    scale?: number;
    /** [1], trained. */
    gain?: Tensor;
    /** As if the weights had been overwritten by their rows over eps + root mean square: gradients are by those. */
    forced?: boolean;
  };
}

/**
 * Weights as torch stores them, [out, in, kh, kw], as `conv2d` reads them, [out, kh kw in]; or [out, in], or a bias [out], where only rows
 * are moved or normalised. Karras et al. 2024.
 */
export function convWeight(tape: Tape, weight: Tensor, { interleave = 1, normed }: ConvWeightOptions = {}): Tensor {
  const { device } = tape.workspace;
  const [rows = 0, depth = 1, ...window] = weight.shape;
  const taps = count(window);
  if (rows % interleave !== 0)
    throw new TensorError(
      `convWeight: ${interleave} do not divide ${rows} rows`,
      'give weights of whole groups of rows',
    );
  if (taps === 1 && interleave === 1 && !normed) return weight;
  const { gain, eps = 0, forced = false } = normed ?? {};
  const options = { normed: normed !== undefined, forced, gain: gain !== undefined };
  const cols = depth * taps;
  const scale = (normed?.scale ?? 1) / Math.sqrt(cols);
  const dims = { rows, cols, taps, interleave, ...(normed && { eps, scale }) };
  const out = tape.alloc(rows, cols);
  const rms = normed ? tape.alloc(rows) : undefined;
  tape.run(weightNormKernel.prepare(device, options, dims), { weight, gain, out, rms }, dims);
  return tape.push({
    op: 'convWeight',
    inputs: [weight, ...(gain ? [gain] : [])],
    output: out,
    saved: rms ? [rms] : [],
    vjp: (dout, sink) => {
      const kernel = weightNormBackward.prepare(device, options, dims);
      const given = { weight: normed ? weight : undefined, gain, rms, dout };
      const dgain = gain && tape.alloc(rows);
      if (sink.needs(weight)) sink.give(weight, (dweight) => tape.run(kernel, { ...given, dweight, dgain }, dims));
      else {
        const dweight = tape.alloc(rows, cols);
        tape.run(kernel, { ...given, dweight, dgain }, dims);
        tape.release(dweight);
      }
      if (gain && dgain) {
        sink.give(gain, (to) => columnSums(tape, dgain, rows, 1, to));
        tape.release(dgain);
      }
    },
  });
}

/** Records weights [out, ...] divided, row by row, by eps + their root mean square, in place; nothing where `clip` [4] holds the step. */
export function forceRows(workspace: Workspace, weight: Tensor, eps: number, clip?: Tensor): void {
  const rows = weight.shape[0] as number;
  const dims = { rows, cols: weight.count / rows, eps };
  workspace.stream.run(
    forceWeights.prepare(workspace.device, { guarded: clip !== undefined }, dims),
    { weight, clip },
    dims,
  );
}
