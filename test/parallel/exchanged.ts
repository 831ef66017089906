import type { Communicator } from '../../src/parallel/communicator.ts';
import { GradientExchange } from '../../src/parallel/gradient_exchange.ts';
import type { Wire } from '../../src/parallel/pieces.ts';
import { FlatBuffers, FlatLayout, Workspace } from '../../src/tensor/index.ts';

/** Number i of a rank's gradients in round `round`. */
const numberOf = (rank: number, i: number, round: number) => Math.sin(i * (rank + 1) + round);

/**
 * Exchanges gradients in four buffers of unequal sizes and many pieces, of ranks with unequal shares, twice; gives the greatest error against the
 * mean in f64, relative to the greatest number, that of the loss, and the bits of all results.
 */
export async function exchanged(ranks: Communicator, device: GPUDevice, wire: Wire) {
  const workspace = new Workspace(device);
  const specs = [300, 5000, 64, 1, 777, 4096, 3000].map((size, i) => ({ name: `p${i}`, shape: [size] }));
  const gradients = new FlatBuffers(workspace, new FlatLayout(specs, 20_480), 'gradient', 'test');
  const loss = workspace.create('data', 'loss', [1]);
  const sum = (ranks.size * (ranks.size + 1)) / 2;
  const shares = Float32Array.from({ length: ranks.size }, (_, r) => (r + 1) / sum);
  const exchange = new GradientExchange(workspace, { ranks, shares, wire, pieceElements: 1000 });
  let [worst, ofLoss] = [0, 0];
  const bits: number[] = [];
  for (let round = 0; round < 2; round++) {
    const mean = (i: number) => shares.reduce((all, share, r) => all + share * numberOf(r, i, round), 0);
    for (const chunk of gradients.chunks)
      workspace.stream.write(
        chunk,
        Float32Array.from({ length: chunk.count }, (_, i) => numberOf(ranks.rank, i, round)),
      );
    workspace.stream.write(loss, Float32Array.of(numberOf(ranks.rank, 1e6, round)));
    await workspace.stream.flush();
    const ranges = await exchange.begin(gradients, loss);
    if (ranges.length < 16) throw new Error(`only ${ranges.length} pieces`);
    if (round === 1) exchange.send(5);
    await exchange.finish();
    for (const chunk of gradients.chunks)
      (await workspace.read(chunk)).forEach((v, i) => {
        worst = Math.max(worst, Math.abs(v - mean(i)));
        bits.push(v);
      });
    ofLoss = Math.max(ofLoss, Math.abs(((await workspace.read(loss))[0] as number) - mean(1e6)));
  }
  exchange.free();
  await workspace.dispose();
  return { worst, ofLoss, bits, chunks: gradients.chunks.length };
}
