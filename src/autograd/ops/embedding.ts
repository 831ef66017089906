import {
  embeddingBackward,
  embedding as kernel,
  labelMixBackward,
  labelMix as labelMixKernel,
  timestepEmbedding as timestepKernel,
  waveEmbedding as waveKernel,
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

export interface WaveOptions {
  /** The angle is (slope t + shift) frequency. */
  slope: number;
  shift: number;
  /** [n]: cosines with these phases, times scale; without, sines, then cosines. */
  phases?: Tensor;
  scale?: number;
}

/** Waves of a time at constant frequencies [n]: t [B] -> [B, n] with phases, else [B, 2n]. Nothing of it is trained: no gradient. */
export function waveEmbedding(tape: Tape, t: Tensor, frequencies: Tensor, o: WaveOptions): Tensor {
  const { slope, shift, phases, scale = 1 } = o;
  const n = frequencies.count;
  const out = tape.alloc(t.count, phases ? n : 2 * n);
  const kernel = waveKernel.prepare(tape.workspace.device, { pairs: !phases, phased: phases !== undefined });
  tape.run(kernel, { t, frequencies, phases, out }, { count: t.count, n, slope, shift, scale });
  return tape.push({ op: 'waveEmbedding', inputs: [t], output: out, saved: [], vjp: undefined });
}

/**
 * An embedding with that of a label: own e + scale W[:, y], and e itself at the null label K. e [B, D], weight [D, K], y u32 [B] ->
 * [B, D].
 */
export function labelMix(
  tape: Tape,
  e: Tensor,
  weight: Tensor,
  y: Tensor,
  { own, scale }: { own: number; scale: number },
): Tensor {
  const { device } = tape.workspace;
  const [cols, classes] = weight.shape as [number, number];
  const dims = { count: y.count, cols, classes, own, scale };
  const out = tape.alloc(y.count, cols);
  tape.run(labelMixKernel.prepare(device), { e, weight, y, out }, dims);
  return tape.push({
    op: 'labelMix',
    inputs: [e, weight],
    output: out,
    saved: [],
    vjp: (dout, sink) => {
      const [de, dweight] = [tape.alloc(...e.shape), tape.alloc(...weight.shape)];
      tape.run(labelMixBackward.prepare(device), { dout, y, de, dweight }, dims);
      sink.pass(e, de);
      sink.pass(weight, dweight);
      tape.release(de);
      tape.release(dweight);
    },
  });
}
