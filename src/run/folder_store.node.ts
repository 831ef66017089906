import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { atomicWrite } from '../io/atomic.node.ts';
import { IoError, systemReason } from '../io/errors.ts';
import { readSafetensors, writeSafetensorsAtomic } from '../io/safetensors.node.ts';
import type { TrainerState } from '../ucgm/checkpoint.ts';
import { type CommandLine, commandText, parseCommands } from './commands.ts';
import { configKeptIn, keptConfig } from './kept_settings.node.ts';
import { MetricsLog } from './metrics_log.node.ts';
import { PassedOver } from './passed_over.ts';
import { lock } from './run_lock.node.ts';
import type { RunConfig } from './settings.ts';
import type { Checkpoint, RunStore } from './store.ts';

/**
 * The folder of a run: config.yaml, commands.jsonl, metrics.jsonl, checkpoints/STEP.safetensors, samples/STEP.png, report.html; on latents also
 * latents_stats.safetensors, after `ucgm eval` eval.json, while it is written run.lock.
 */
export class FolderStore implements RunStore {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** @throws IoError where a run is there already. */
  static checkNew(path: string): void {
    if (existsSync(new FolderStore(path).#config))
      throw new IoError('exists', path, 'it holds a run already', 'give --resume to go on with it, or another --out');
  }

  /** Makes a new run's folder. @throws IoError where a run is there already, or the folder cannot be made. */
  static create(path: string): FolderStore {
    const run = new FolderStore(path);
    FolderStore.checkNew(path);
    try {
      mkdirSync(join(path, 'checkpoints'), { recursive: true });
      mkdirSync(join(path, 'samples'), { recursive: true });
    } catch (error) {
      throw new IoError('write', path, `it cannot be made (${systemReason(error)})`, 'give another --out', error);
    }
    return run;
  }

  /** Opens a run that is there. @throws IoError where there is none. */
  static open(path: string): FolderStore {
    const run = new FolderStore(path);
    if (!existsSync(run.#config)) {
      throw new IoError('missing', path, 'it holds no run (no config.yaml)', 'give the folder of an earlier --out');
    }
    return run;
  }

  /**
   * Makes this process the only one that writes the run, until the returned function is called or the process ends.
   * @param say told when the lock of a process that has ended was taken over.
   * @throws IoError where another process writes it.
   */
  lock(say: (note: string) => void): () => void {
    const { release, note } = lock(join(this.path, 'run.lock'), this.path);
    if (note) say(note);
    return release;
  }

  get #config(): string {
    return join(this.path, 'config.yaml');
  }

  get metricsPath(): string {
    return join(this.path, 'metrics.jsonl');
  }

  /** In a run on latents: mean and standard deviation of their channels, so that sampling needs no data. */
  get latentStatsPath(): string {
    return join(this.path, 'latents_stats.safetensors');
  }

  checkpointPath(step: number): string {
    return join(this.path, 'checkpoints', `${step}.safetensors`);
  }

  samplePath(step: number): string {
    return join(this.path, 'samples', `${step}.png`);
  }

  /** The same noise at several numbers of sampling steps, by a checkpoint's weights. */
  stripPath(step: number): string {
    return join(this.path, 'samples', `strip-${step}.png`);
  }

  /** The commands that trained it, a line each. */
  get commandsPath(): string {
    return join(this.path, 'commands.jsonl');
  }

  /** Adds a command to those that trained the run. @throws IoError. */
  writeCommand(command: CommandLine): void {
    const before = existsSync(this.commandsPath) ? readFileSync(this.commandsPath, 'utf8') : '';
    atomicWrite(this.commandsPath, before + commandText(command));
  }

  /** The commands that trained the run, the one that made it first; none of a run of an earlier version. */
  commands(): CommandLine[] {
    return existsSync(this.commandsPath) ? parseCommands(readFileSync(this.commandsPath, 'utf8')) : [];
  }

  get reportPath(): string {
    return join(this.path, 'report.html');
  }

  /** What `ucgm eval` measured. */
  get evaluationPath(): string {
    return join(this.path, 'eval.json');
  }

  configText(): string {
    try {
      return readFileSync(this.#config, 'utf8');
    } catch (error) {
      throw new IoError('read', this.#config, `it cannot be read (${systemReason(error)})`, 'check the file', error);
    }
  }

  writeConfig(text: string): void {
    atomicWrite(this.#config, text);
  }

  get name(): string {
    return this.path;
  }

  /** Keeps the settings, a path of data as seen from the folder. */
  writeSettings(config: RunConfig): void {
    this.writeConfig(keptConfig(config, this.path));
  }

  /** The settings that were kept, a path of data as seen from the working directory. @throws IoError or ConfigError. */
  settings(): RunConfig {
    return configKeptIn(this.path, this.configText(), this.path);
  }

  metricsAfter(step: number): MetricsLog {
    return MetricsLog.open(this.metricsPath, step);
  }

  writeSamples(step: number, png: Uint8Array): void {
    atomicWrite(this.samplePath(step), [png]);
  }

  writeCheckpoint(step: number, { tensors, metadata }: TrainerState): void {
    writeSafetensorsAtomic(this.checkpointPath(step), tensors, metadata);
  }

  /** Steps of which there is a checkpoint, rising. */
  checkpoints(): number[] {
    return this.#steps('checkpoints', /^(\d+)\.safetensors$/);
  }

  /** Steps of which there is a grid of samples, rising. */
  samples(): number[] {
    return this.#steps('samples', /^(\d+)\.png$/);
  }

  #steps(folder: string, pattern: RegExp): number[] {
    const path = join(this.path, folder);
    const names = existsSync(path) ? readdirSync(path) : [];
    return names
      .flatMap((name) => pattern.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  }

  /** The checkpoint of a step. @throws IoError where there is none, or it cannot be read. */
  checkpointAt(step: number): Checkpoint {
    const path = this.checkpointPath(step);
    if (!existsSync(path)) {
      const steps = this.checkpoints();
      const fix = steps.length > 0 ? `there are those of steps ${steps.join(', ')}` : 'train longer, or resume the run';
      throw new IoError('missing', this.path, `it holds no checkpoint of step ${step}`, fix);
    }
    return { step, where: path, warnings: [], ...readSafetensors(path) };
  }

  /**
   * The newest checkpoint that can be read; undefined where there is none. A damaged one is passed over with a warning.
   * @throws IoError of the newest where all are damaged.
   */
  latestCheckpoint(): Checkpoint | undefined {
    const damaged = new PassedOver();
    for (const step of this.checkpoints().reverse()) {
      const path = this.checkpointPath(step);
      try {
        return { step, where: path, warnings: damaged.warnings, ...readSafetensors(path) };
      } catch (error) {
        damaged.add(error);
      }
    }
    return damaged.end();
  }

  /** Removes all checkpoints but the newest `keep`, and temporary files that a crash left. */
  prune(keep: number): void {
    for (const step of this.checkpoints().slice(0, -keep)) rmSync(this.checkpointPath(step), { force: true });
    const folder = join(this.path, 'checkpoints');
    for (const name of readdirSync(folder)) if (/^\..*\.tmp$/.test(name)) rmSync(join(folder, name), { force: true });
  }
}
