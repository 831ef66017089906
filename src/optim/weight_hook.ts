import { ema } from '../kernels/optimizer.ts';
import type { FlatBuffers, Tensor, Workspace } from '../tensor/index.ts';
import { LearnerError } from './learner_error.ts';

/**
 * Records what `hook` does to the weights, and that it is taken back where `clip` [4] holds the step: then the weights are those of
 * the last sound step, and even a change that does nothing but round must not touch them.
 * @throws LearnerError where the hook waits.
 */
export function hookWeights(
  workspace: Workspace,
  weights: FlatBuffers,
  clip: Tensor,
  hook: (weights: FlatBuffers) => void,
): void {
  const { arena, stream, device } = workspace;
  const kept = weights.chunks.map((chunk) => arena.alloc(chunk.shape));
  weights.chunks.forEach((chunk, i) => {
    stream.copy(chunk, kept[i] as Tensor);
  });
  const result: unknown = hook(weights);
  if (result instanceof Promise) {
    result.catch(() => {}); // this error says more than its own
    throw new LearnerError('onWeights gave a promise', 'record its kernels at once: a step is submitted as a whole');
  }
  const decay = arena.alloc([1]); // 0: an exact copy, which a held step does not make
  stream.clear(decay);
  const copy = ema.prepare(device, { guarded: true });
  weights.chunks.forEach((chunk, i) => {
    const average = kept[i] as Tensor;
    stream.run(copy, { average, param: chunk, decay, clip }, { count: chunk.count });
    stream.copy(average, chunk);
  });
  for (const tensor of [...kept, decay]) arena.release(tensor);
}
