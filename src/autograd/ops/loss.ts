import { lincomb } from '../../kernels/lincomb.ts';
import { lossBackward, lossForward } from '../../kernels/loss.ts';
import { type Tensor, TensorError } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

/**
 * Mean squared error of each sample: prediction and target f32 [B, ...] -> [B]. The target gets no gradient; the mean over samples is
 * the caller's, or a learner's. @throws TensorError for shapes that differ.
 */
export function squaredError(tape: Tape, prediction: Tensor, target: Tensor): Tensor {
  const { device, stream } = tape.workspace;
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
        const weights = tape.alloc(batch); // the kernel's gradient is of the batch mean: taken back to a sum
        stream.write(weights, new Float32Array(batch).fill(batch));
        const each = tape.alloc(...prediction.shape);
        const backward = lossBackward.prepare(device, { cosine: false });
        tape.run(backward, { ...pair, root, weights, dprediction: each }, dims);
        const scaled = { u0: each, coefs: dloss, out: dprediction };
        tape.run(lincomb.prepare(device, { inputs: 1 }), scaled, { batch, n, coef_stride: 1 });
        tape.release(each);
        tape.release(weights);
      }),
  });
}
