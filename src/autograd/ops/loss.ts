import { lossBackward, lossForward } from '../../kernels/loss.ts';
import { type Tensor, TensorError } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

/**
 * Mean squared error of each sample: prediction and target f32 [B, ...] -> [B]. The target gets no gradient; the mean over samples is
 * the caller's, or a learner's. @throws TensorError for shapes that differ.
 */
export function squaredError(tape: Tape, prediction: Tensor, target: Tensor): Tensor {
  const { device } = tape.workspace;
  const batch = prediction.shape[0] ?? 0;
  if (batch === 0 || prediction.shape.join() !== target.shape.join())
    throw new TensorError(
      `squaredError: prediction [${prediction.shape}] and target [${target.shape}]`,
      'give two tensors of one shape [B, ...]',
    );
  const n = prediction.count / batch;
  const dims = { batch, channels: 1, pixels: n };
  const pair = { prediction, target_value: target };
  const [loss, root] = [tape.alloc(batch), tape.alloc(batch)];
  const kernel = lossForward.prepare(device, { cosine: false, squared: true });
  tape.run(kernel, { ...pair, per_sample: loss, root }, { ...dims, c: 0 });
  return tape.push({
    op: 'squaredError',
    inputs: [prediction],
    output: loss,
    saved: [root],
    vjp: (dloss, sink) =>
      sink.give(prediction, (dprediction) => {
        const backward = lossBackward.prepare(device, { cosine: false });
        tape.run(backward, { ...pair, root, weights: dloss, dprediction }, { ...dims, mean_of: 1 });
      }),
  });
}
