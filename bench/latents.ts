import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LatentBatches } from '../src/data/latent_batches.node.ts';
import { writeSafetensorsAtomic } from '../src/io/safetensors.node.ts';
import type { Suite } from './suite.ts';

const SHAPE = [4, 32, 32] as const;
const PER_SHARD = 2000;
const BATCH = 256;
const BATCHES = 200;
/** What a training step takes, in the part that asks how long one waits for data. */
const WORK_MS = 60;

interface LatentsResult {
  readonly case: string;
  readonly mb: number;
  /** Of a batch. */
  readonly ms: number;
  readonly mbPerSecond: number;
  /** Milliseconds a step waits for its batch beside WORK_MS of work. */
  readonly waitMs: number;
  /** Resident memory after a quarter of the batches, and after all. */
  readonly rssMb: readonly [number, number];
}

/** Streams of 500 MB and 2 GB as a suite: the memory must be the same. */
export function latentsSuite(filter: RegExp): Suite<LatentsResult> {
  const cases = [500, 2000].map((mb) => [`latents ${mb} MB`, () => measureLatents(mb)] as const);
  return {
    columns: `      MB/s  waits (ms, beside ${WORK_MS} ms of work)  resident after 50 and ${BATCHES} batches (MB)  case`,
    cases: new Map(cases.filter(([name]) => filter.test(name))),
    rows: ({ case: name, mbPerSecond, waitMs, rssMb }) => [
      `${mbPerSecond.toFixed(0).padStart(10)} ${waitMs.toFixed(2).padStart(6)} ${rssMb.map((mb) => mb.toFixed(0).padStart(6)).join(' ')}  ${name}`,
    ],
  };
}

/** Streams latent shards made for it: how fast, in how much memory, and how long a step of 60 ms waits. */
async function measureLatents(megabytes: number): Promise<LatentsResult> {
  const folder = mkdtempSync(join(tmpdir(), 'ucgm-latents-'));
  try {
    const mb = writeShards(folder, megabytes);
    const source = await LatentBatches.open(folder, { seed: 0, batchSize: BATCH });
    await source.batch(0);
    const start = performance.now();
    let quarter = 0;
    for (let step = 1; step <= BATCHES; step++) {
      await source.batch(step);
      if (step === BATCHES / 4) quarter = rss();
    }
    const seconds = (performance.now() - start) / 1000;
    const after = rss();
    let waited = 0;
    for (let step = BATCHES + 1; step <= BATCHES + 50; step++) {
      await new Promise((done) => setTimeout(done, WORK_MS));
      const asked = performance.now();
      await source.batch(step);
      waited += performance.now() - asked;
    }
    await source.close();
    const batchMb = (BATCH * SHAPE.reduce((a, b) => a * b, 1) * 4) / 1e6;
    const mbPerSecond = (BATCHES * batchMb) / seconds;
    return {
      case: `latents ${megabytes} MB`,
      mb,
      ms: (1000 * seconds) / BATCHES,
      mbPerSecond,
      waitMs: waited / 50,
      rssMb: [quarter, after],
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const rss = () => process.memoryUsage().rss / 1e6;

function writeShards(folder: string, megabytes: number): number {
  const shape = [PER_SHARD, ...SHAPE];
  const count = shape.reduce((a, b) => a * b, 1);
  const latents = Float32Array.from({ length: count }, (_, i) => Math.sin(i));
  const labels = new Uint8Array(new BigInt64Array(PER_SHARD).map((_, i) => BigInt(i % 10)).buffer);
  const shards = Math.max(1, Math.round((megabytes * 1e6) / (2 * count * 4)));
  for (let i = 0; i < shards; i++) {
    writeSafetensorsAtomic(
      join(folder, `${i}.safetensors`),
      [
        ['latents', { shape, data: latents }],
        ['latents_flip', { shape, data: latents }],
        ['labels', { shape: [PER_SHARD], dtype: 'I64', data: labels }],
      ],
      {},
    );
  }
  return (shards * 2 * count * 4) / 1e6;
}
