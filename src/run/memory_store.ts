import { encodeSafetensors, parseSafetensors } from '../io/safetensors.ts';
import type { TrainerState } from '../ucgm/checkpoint.ts';
import { joined } from './checkpoint.ts';
import type { MetricsLine } from './metrics.ts';
import type { RunConfig } from './settings.ts';
import type { Checkpoint, MetricsWriter, RunStore } from './store.ts';

/** A run in memory: it is there as long as the program is. It answers everything later, as the files of a page do. */
export class MemoryStore implements RunStore {
  readonly name = 'memory';
  kept: RunConfig | undefined;
  lines: MetricsLine[] = [];
  /** Logs that were closed. */
  closed = 0;
  /** Bytes of the checkpoints, by step. */
  readonly saved = new Map<number, Uint8Array<ArrayBuffer>>();
  /** PNGs of samples, by step. */
  readonly pictures = new Map<number, Uint8Array>();

  async settings(): Promise<RunConfig | undefined> {
    return structuredClone(this.kept);
  }

  async writeSettings(config: RunConfig): Promise<void> {
    this.kept = structuredClone(config);
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
    this.saved.set(step, joined(encodeSafetensors(tensors, metadata)));
  }

  async prune(keep: number): Promise<void> {
    for (const step of (await this.checkpoints()).slice(0, -keep)) this.saved.delete(step);
  }

  async writeSamples(step: number, png: Uint8Array): Promise<void> {
    this.pictures.set(step, png);
  }
}
