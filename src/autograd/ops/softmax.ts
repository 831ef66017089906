import {
  crossEntropyBackward,
  crossEntropy as crossEntropyKernel,
  softmaxBackward,
  softmax as softmaxKernel,
} from '../../kernels/softmax.ts';
import { rowsAndCols, type Tensor, TensorError } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

/** What a softmax is taken of. */
export interface SoftmaxOpOptions {
  /** Multiplies x first: one over the temperature. Default 1. */
  scale?: number;
}

/** softmax(scale x) over the last axis. x [..., cols] -> same shape. */
export const softmax = (tape: Tape, x: Tensor, options: SoftmaxOpOptions = {}): Tensor =>
  normalise(tape, x, false, options);

/** log softmax(scale x) over the last axis. x [..., cols] -> same shape. */
export const logSoftmax = (tape: Tape, x: Tensor, options: SoftmaxOpOptions = {}): Tensor =>
  normalise(tape, x, true, options);

function normalise(tape: Tape, x: Tensor, log: boolean, { scale = 1 }: SoftmaxOpOptions): Tensor {
  const { device } = tape.workspace;
  const { rows, cols } = rowsAndCols(x);
  const dims = { rows, cols, scale };
  const y = tape.alloc(...x.shape);
  tape.run(softmaxKernel.prepare(device, { log }, { cols }), { x, y }, dims);
  return tape.push({
    op: log ? 'logSoftmax' : 'softmax',
    inputs: [x],
    output: y,
    saved: [],
    vjp: (dy, sink) =>
      sink.give(x, (dx) => tape.run(softmaxBackward.prepare(device, { log }, { cols }), { y, dy, dx }, dims)),
  });
}

/** What a row of logits is compared with: a label u32 [...], or weights of the classes f32 [..., cols], which get no gradient. */
export type CrossEntropyTarget = { labels: Tensor; targets?: never } | { targets: Tensor; labels?: never };

/** What a cross entropy leaves out or smooths. */
export interface CrossEntropyOpOptions {
  /** How much of a target is spread evenly over the classes, 0 to 1. Default 0. */
  smoothing?: number;
  /** The label, read as 32 bits, of rows that have loss and gradient 0. None by default: a label that is no class gives NaN. */
  ignoreIndex?: number;
}

/** Cross entropy of every row of logits [..., cols] with its target -> [...]: the mean over rows is the caller's. */
export function crossEntropy(
  tape: Tape,
  logits: Tensor,
  { labels, targets }: CrossEntropyTarget,
  { smoothing = 0, ignoreIndex }: CrossEntropyOpOptions = {},
): Tensor {
  const { rows, cols } = rowsAndCols(logits);
  const given = labels ?? targets;
  if (given.count !== (labels ? rows : rows * cols))
    throw new TensorError(
      `crossEntropy: logits [${logits.shape}] and ${labels ? 'labels' : 'targets'} [${given.shape}]`,
      `give ${labels ? 'a label a row' : 'a weight a logit'}`,
    );
  const { device } = tape.workspace;
  const options = { soft: targets !== undefined, ignore: ignoreIndex !== undefined };
  const dims = { rows, cols, smoothing, ...(ignoreIndex !== undefined && { ignore_index: ignoreIndex >>> 0 }) };
  const loss = tape.alloc(...logits.shape.slice(0, -1));
  const stats = tape.needs(logits) ? tape.alloc(rows, 2) : undefined;
  const kernel = crossEntropyKernel.prepare(device, { ...options, stats: stats !== undefined }, { cols });
  tape.run(kernel, { logits, labels, targets, loss, stats }, dims);
  return tape.push({
    op: 'crossEntropy',
    inputs: [logits],
    output: loss,
    saved: stats ? [stats] : [],
    vjp: (dloss, sink) =>
      sink.give(logits, (dlogits) => {
        const backward = crossEntropyBackward.prepare(device, options);
        tape.run(backward, { logits, labels, targets, stats: stats as Tensor, dloss, dlogits }, dims);
      }),
  });
}
