import type { VelocityNetwork, Weights } from '../nn/network.ts';
import type { Communicator } from '../parallel/communicator.ts';
import { count, type Workspace } from '../tensor/index.ts';
import { type Drawing, type DrawnPart, drawParts } from './draw.ts';
import type { RunConfig } from './settings.ts';

/**
 * As drawParts, by all ranks: of every round of images each draws a part, and all get all of them, in order. An image is the same whoever
 * draws it. @throws as drawParts.
 */
export async function* drawTogether(
  workspace: Workspace,
  network: VelocityNetwork,
  weights: Weights,
  config: RunConfig,
  drawing: Drawing,
  ranks: Communicator,
): AsyncGenerator<Omit<DrawnPart, 'all'>> {
  if (ranks.size === 1) {
    yield* drawParts(workspace, network, weights, config, drawing);
    return;
  }
  const { labels, from = 0, atOnce = 500 } = drawing;
  const one = count(network.input);
  const each = Math.min(atOnce, Math.ceil(labels.length / ranks.size));
  let nfe = 0;
  for (let first = 0; first < labels.length; first += each * ranks.size) {
    const start = Math.min(labels.length, first + ranks.rank * each);
    const own = new Float32Array(each * one); // the last rank's may be none
    const mine = { ...drawing, labels: labels.slice(start, start + each), from: from + start };
    for await (const part of drawParts(workspace, network, weights, config, mine)) {
      own.set(part.samples, (part.first - from - start) * one);
      nfe = part.nfe;
    }
    const all = new Float32Array(own.length * ranks.size);
    await ranks.allgather(new Uint8Array(own.buffer), new Uint8Array(all.buffer));
    yield { samples: all.slice(0, (labels.length - first) * one), nfe, first: from + first };
  }
}
