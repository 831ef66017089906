import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { FilePool } from '../../src/data/file_pool.node.ts';
import { LatentBatches, type LatentOptions } from '../../src/data/latent_batches.node.ts';
import { writeShard } from './shards.ts';

/** Numbers of one latent of `twoShards`. */
export const ONE = 12;
export const order = { seed: 3, batchSize: 4 };
export const raw: LatentOptions = { ...order, normalise: false };

/** An empty folder for each test of a file, removed after it. */
export function useLatentFolder() {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'ucgm-latents-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const path = (...parts: string[]) => join(root, ...parts);
  return {
    path,
    /** Two shards of 7 and 5 samples. */
    twoShards(options: { flips?: boolean } = {}): void {
      writeShard(path('b.safetensors'), { first: 7, count: 5, ...options });
      writeShard(path('a.safetensors'), { first: 0, count: 7, ...options });
    },
    /** Opens, uses and closes. */
    async withBatches<T>(options: LatentOptions, use: (b: LatentBatches) => Promise<T>, files?: FilePool) {
      const batches = await LatentBatches.open(root, options, files);
      try {
        return await use(batches);
      } finally {
        await batches.close();
      }
    },
  };
}

/** The numbers and labels of some steps. */
export const steps = async (batches: LatentBatches, ...which: number[]) => {
  const out: number[][] = [];
  for (const step of which) {
    const { x, labels } = await batches.batch(step);
    out.push([...x, ...labels]);
  }
  return out;
};
