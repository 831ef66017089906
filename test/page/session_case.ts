import type { PartialConfig } from '../../src/run/index.ts';

/** One small training, in a page and in Node. */
export const SMALL: PartialConfig = {
  model: { hidden_size: 16, depth: 1, num_heads: 2 },
  data: { batch_size: 4 },
  train: { log_every: 2, checkpoint_every: 2, keep_checkpoints: 1, sample_every: 2, seed: 5 },
  sample: { sampling_steps: 2, cfg_scale: 1 },
};

export const DATA = { size: 16, count: 96 };

export const DRAWN = { labels: [0, 1, 2, 3], seed: 11, steps: 4 };
