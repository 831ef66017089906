import { lincomb } from '../../src/kernels/lincomb.ts';
import type { FlatBuffers, Workspace } from '../../src/tensor/index.ts';

/** Records weights = factor weights, as a hook of an app would: kernels on the stream. */
export function scale({ arena, stream, device }: Workspace, weights: FlatBuffers, factor: number): void {
  const coefs = arena.alloc([1]);
  stream.write(coefs, Float32Array.of(factor));
  for (const chunk of weights.chunks) {
    const out = arena.alloc(chunk.shape);
    stream.run(lincomb.prepare(device, { inputs: 1 }), { u0: chunk, coefs, out }, { batch: 1, n: chunk.count });
    stream.copy(out, chunk);
    arena.release(out);
  }
  arena.release(coefs);
}
