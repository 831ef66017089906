import type { Trainer } from '../ucgm/trainer.ts';
import type { PicturedLatents } from './decoder.ts';
import type { RunEvents } from './events.ts';
import { gridColumns, type Sampled, sampleImages, samplesPng } from './samples.ts';
import type { RunConfig } from './settings.ts';
import type { Awaitable, RunStore } from './store.ts';

/** Rows of a picture: enough to see how the samples come on, and soon drawn. */
const ROWS = 4;

/** What pictures of a training are of, and where they go. */
export interface Pictured {
  readonly trainer: Trainer;
  readonly config: RunConfig;
  readonly store: RunStore;
  /** The run's latents, if it trains on such. */
  readonly latents?: PicturedLatents | undefined;
  /** Ends the sampling within a step. */
  readonly signal?: AbortSignal;
  /** Told of the samples, once they are kept. */
  readonly sampled?: (step: number, samples: Sampled) => Awaitable<void>;
}

/** Keeps a grid of samples by the averaged weights every `train.sample_every` steps. */
export function samplePictures({ trainer, config, store, latents, signal, sampled: told }: Pictured): RunEvents {
  const every = config.train.sample_every;
  return {
    purpose: 'samples',
    async stepped(step) {
      if (every === 0 || step % every !== 0) return;
      const { workspace, network, average } = trainer;
      const lease = workspace.lease('sampling'); // the trainer's step tensors stay as they are
      try {
        const request = { labels: inTurn(gridColumns(network), network.numClasses), ...(signal && { signal }) };
        const sampled = await sampleImages(lease, network, average, config, request, latents);
        await store.writeSamples(step, samplesPng(sampled));
        await told?.(step, sampled);
      } finally {
        await lease.dispose();
      }
    },
  };
}

/** The labels of a picture: a class a column. */
function inTurn(columns: number, numClasses: number): number[] {
  return Array.from({ length: ROWS * columns }, (_, i) => (numClasses < 2 ? 0 : i % columns));
}
