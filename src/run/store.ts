import type { Safetensors } from '../io/safetensors.ts';
import type { TrainerState } from '../ucgm/checkpoint.ts';
import type { MetricsLine } from './metrics.ts';
import type { RunConfig } from './settings.ts';

/** What a place gives at once, or later: a folder at once, the files of a page later. */
export type Awaitable<T> = T | Promise<T>;

/** A checkpoint that was read, and what had to be passed over to find it. */
export interface Checkpoint extends Safetensors {
  readonly step: number;
  /** Its place, for messages. */
  readonly where: string;
  readonly warnings: readonly string[];
}

/** The log of a run while it is written: a line a step, steps rising, also after a crash and a resume. */
export interface MetricsWriter {
  /** Adds a line; a value that is not finite becomes null. */
  append(line: MetricsLine): Awaitable<void>;
  close(): Awaitable<void>;
}

/**
 * Where a run is kept: its settings, its log, its checkpoints and its pictures. Whatever is written is there whole or not at all.
 * All methods throw, or reject with, an IoError where the place cannot be read or written.
 */
export interface RunStore {
  /** The place, for messages. */
  readonly name: string;
  /** The settings that are kept; undefined where there is no run yet. */
  settings(): Awaitable<RunConfig | undefined>;
  /** Keeps the settings: from then on the place holds a run. */
  writeSettings(config: RunConfig): Awaitable<void>;
  /** Opens the log for the steps after `step`; lines of later steps go, as they will be written again. */
  metricsAfter(step: number): Awaitable<MetricsWriter>;
  /** Steps of which there is a checkpoint, rising. */
  checkpoints(): Awaitable<readonly number[]>;
  /** The newest checkpoint that can be read, those that are damaged passed over; undefined where there is none. */
  latestCheckpoint(): Awaitable<Checkpoint | undefined>;
  writeCheckpoint(step: number, state: TrainerState): Awaitable<void>;
  /** Removes all checkpoints but the newest `keep`, and what a crash left. */
  prune(keep: number): Awaitable<void>;
  /** Keeps a picture of samples, a PNG, of the weights after a step. */
  writeSamples(step: number, png: Uint8Array): Awaitable<void>;
}
