import {
  embeddingBackward,
  embedding as kernel,
  timestepEmbedding as timestepKernel,
} from '../../kernels/embedding.ts';
import type { Tensor } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

/** Rows of a table by index. table [K, D], index u32 [B] (every index < K: the caller checks) -> [B, D]. */
export function embedding(tape: Tape, table: Tensor, index: Tensor): Tensor {
  const { device } = tape.workspace;
  const [rows, cols] = table.shape as [number, number];
  const dims = { rows, cols, count: index.count };
  const out = tape.alloc(index.count, cols);
  tape.run(kernel.prepare(device), { table, index, out }, dims);
  return tape.push({
    op: 'embedding',
    inputs: [table],
    output: out,
    saved: [],
    vjp: (dout, sink) =>
      sink.give(table, (dtable) => tape.run(embeddingBackward.prepare(device), { index, dout, dtable }, dims)),
  });
}

/** Sinusoids of a time, [cos | sin]: t [B] -> [B, dim]. t is not trained: no gradient. */
export function timestepEmbedding(tape: Tape, t: Tensor, dim: number, maxPeriod = 1e4): Tensor {
  const out = tape.alloc(t.count, dim);
  tape.run(timestepKernel.prepare(tape.workspace.device), { t, out }, { count: t.count, dim, max_period: maxPeriod });
  return tape.push({ op: 'timestepEmbedding', inputs: [t], output: out, saved: [], vjp: undefined });
}
