import { encodeSafetensors, parseSafetensors } from '../../src/io/safetensors.ts';
import type { MetricsLine } from '../../src/run/metrics.ts';
import type { RunConfig } from '../../src/run/settings.ts';
import type { Checkpoint, MetricsWriter, RunStore } from '../../src/run/store.ts';
import type { TrainerState } from '../../src/ucgm/checkpoint.ts';

/** A run in memory, which answers everything later, as the files of a page do. */
export class MemoryStore implements RunStore {
  readonly name = 'memory';
  settings: RunConfig | undefined;
  lines: MetricsLine[] = [];
  closed = 0;
  readonly saved = new Map<number, Uint8Array>();
  readonly pictures = new Map<number, Uint8Array>();

  async writeSettings(config: RunConfig): Promise<void> {
    this.settings = structuredClone(config);
  }

  async metricsAfter(step: number): Promise<MetricsWriter> {
    this.lines = this.lines.filter((line) => line.step <= step);
    return {
      append: async (line) => void this.lines.push(line),
      close: async () => void this.closed++,
    };
  }

  async checkpoints(): Promise<number[]> {
    return [...this.saved.keys()].sort((a, b) => a - b);
  }

  async latestCheckpoint(): Promise<Checkpoint | undefined> {
    const step = (await this.checkpoints()).at(-1);
    if (step === undefined) return undefined;
    const where = `checkpoint ${step}`;
    return { step, where, warnings: [], ...parseSafetensors(this.saved.get(step) as Uint8Array, where) };
  }

  async writeCheckpoint(step: number, { tensors, metadata }: TrainerState): Promise<void> {
    const parts = encodeSafetensors(tensors, metadata);
    this.saved.set(step, new Uint8Array(await new Blob([...parts] as BlobPart[]).arrayBuffer()));
  }

  async prune(keep: number): Promise<void> {
    for (const step of (await this.checkpoints()).slice(0, -keep)) this.saved.delete(step);
  }

  async writeSamples(step: number, png: Uint8Array): Promise<void> {
    this.pictures.set(step, png);
  }
}
