import { IoError, systemReason } from '../io/errors.ts';
import { encodeSafetensors, parseSafetensors } from '../io/safetensors.ts';
import type { TrainerState } from '../ucgm/checkpoint.ts';
import { type MetricsLine, metricsText, parseMetrics } from './metrics.ts';
import { PassedOver } from './passed_over.ts';
import { mergeConfig, parseConfig, type RunConfig, stringifyConfig } from './settings.ts';
import type { Checkpoint, MetricsWriter, RunStore } from './store.ts';

const CONFIG = 'config.yaml';
const METRICS = 'metrics.jsonl';
/** Lines of a log that are kept before they are written: each writing copies the file. */
const LINES_AT_ONCE = 50;
const ROOM = 'free space for this site, or keep fewer runs';

/**
 * A run in the page's own files (the origin private file system), laid out as the folder of a run in Node: config.yaml, metrics.jsonl,
 * checkpoints/STEP.safetensors, samples/STEP.png. A file is replaced as a whole: a tab that dies leaves the old one or the new one.
 * For pages and their workers.
 */
export class OpfsStore implements RunStore {
  readonly name: string;
  readonly #root: FileSystemDirectoryHandle;
  /** Writes what the log still keeps. */
  #flushLog: () => Promise<void> = async () => {};

  private constructor(name: string, root: FileSystemDirectoryHandle) {
    this.name = name;
    this.#root = root;
  }

  /** Opens the run of a name, or makes a place for it. @throws IoError where the browser has no such files, or refuses them. */
  static async open(name: string): Promise<OpfsStore> {
    return refused(
      name,
      async () => new OpfsStore(name, await (await runs()).getDirectoryHandle(name, { create: true })),
    );
  }

  /** Names of the runs there are, in order. @throws IoError. */
  static async names(): Promise<string[]> {
    return refused('runs', async () => (await namesIn(await runs(), 'directory')).sort());
  }

  /** Removes the run of a name, with all that is in it. @throws IoError. */
  static async remove(name: string): Promise<void> {
    await refused(name, async () => (await runs()).removeEntry(name, { recursive: true }));
  }

  async settings(): Promise<RunConfig | undefined> {
    const bytes = await this.#read(CONFIG);
    if (!bytes) return undefined;
    const where = `${this.name}/${CONFIG}`;
    return mergeConfig(where, parseConfig(new TextDecoder().decode(bytes), where));
  }

  async writeSettings(config: RunConfig): Promise<void> {
    await this.#write(CONFIG, [stringifyConfig(config)]);
  }

  /** The lines of the log, those that are broken left out. @throws IoError. */
  async metrics(): Promise<MetricsLine[]> {
    const bytes = await this.#read(METRICS);
    return bytes ? parseMetrics(new TextDecoder().decode(bytes)).lines : [];
  }

  async metricsAfter(step: number): Promise<MetricsWriter> {
    const before = (await this.metrics()).filter((line) => line.step <= step).map(metricsText);
    await this.#write(METRICS, before);
    let fresh: string[] = [];
    const flush = async () => {
      const lines = fresh;
      fresh = [];
      if (lines.length > 0) await this.#append(METRICS, lines.join(''));
    };
    this.#flushLog = flush;
    return {
      append: async (line) => {
        fresh.push(metricsText(line));
        if (fresh.length >= LINES_AT_ONCE) await flush();
      },
      close: flush,
    };
  }

  checkpoints(): Promise<number[]> {
    return this.#steps('checkpoints', /^(\d+)\.safetensors$/);
  }

  /** Steps of which there is a picture of samples, rising. */
  samples(): Promise<number[]> {
    return this.#steps('samples', /^(\d+)\.png$/);
  }

  /** The bytes of a checkpoint, for a download; undefined where there is none. @throws IoError. */
  checkpointBytes(step: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#read(`checkpoints/${step}.safetensors`);
  }

  /** The bytes of a picture of samples. @throws IoError. */
  sampleBytes(step: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#read(`samples/${step}.png`);
  }

  async latestCheckpoint(): Promise<Checkpoint | undefined> {
    const damaged = new PassedOver();
    for (const step of (await this.checkpoints()).reverse()) {
      const where = `${this.name}/checkpoints/${step}.safetensors`;
      try {
        const bytes = (await this.checkpointBytes(step)) ?? new Uint8Array();
        return { step, where, warnings: damaged.warnings, ...parseSafetensors(bytes, where) };
      } catch (error) {
        damaged.add(error);
      }
    }
    return damaged.end();
  }

  async writeCheckpoint(step: number, { tensors, metadata }: TrainerState): Promise<void> {
    await this.#flushLog(); // first: the log of a run that goes on from here has every step up to here
    await this.#write(`checkpoints/${step}.safetensors`, encodeSafetensors(tensors, metadata));
  }

  async prune(keep: number): Promise<void> {
    const old = (await this.checkpoints()).slice(0, -keep);
    await refused(this.name, async () => {
      const folder = await this.#folder('checkpoints');
      for (const step of old) await folder.removeEntry(`${step}.safetensors`);
    });
  }

  async writeSamples(step: number, png: Uint8Array): Promise<void> {
    await this.#write(`samples/${step}.png`, [png]);
  }

  #steps(folder: string, pattern: RegExp): Promise<number[]> {
    return refused(`${this.name}/${folder}`, async () => {
      const names = await namesIn(await this.#folder(folder), 'file');
      const steps = names.flatMap((name) => pattern.exec(name)?.[1] ?? []).map(Number);
      return steps.sort((a, b) => a - b);
    });
  }

  #folder(name: string): Promise<FileSystemDirectoryHandle> {
    return this.#root.getDirectoryHandle(name, { create: true });
  }

  /** The file of a path of at most one folder. */
  async #file(path: string, create: boolean): Promise<FileSystemFileHandle> {
    const [name, folder] = path.split('/').reverse() as [string, string?];
    return (folder === undefined ? this.#root : await this.#folder(folder)).getFileHandle(name, { create });
  }

  async #read(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return refused(`${this.name}/${path}`, async () => {
      try {
        const file = await (await this.#file(path, false)).getFile();
        return new Uint8Array(await file.arrayBuffer());
      } catch (error) {
        if ((error as Error).name === 'NotFoundError') return undefined;
        throw error;
      }
    });
  }

  /** Replaces a file: what is written appears when it is closed. */
  async #write(path: string, chunks: readonly (Uint8Array | string)[]): Promise<void> {
    await this.#writing(path, false, chunks);
  }

  async #append(path: string, text: string): Promise<void> {
    await this.#writing(path, true, [text]);
  }

  #writing(path: string, append: boolean, chunks: readonly (Uint8Array | string)[]): Promise<void> {
    return refused(`${this.name}/${path}`, async () => {
      const handle = await this.#file(path, true);
      const file = await handle.createWritable({ keepExistingData: append });
      try {
        if (append) await file.seek((await handle.getFile()).size);
        for (const chunk of chunks) await file.write(chunk as Uint8Array<ArrayBuffer> | string);
      } catch (error) {
        await file.abort();
        throw error;
      }
      await file.close();
    });
  }
}

/** The folder of all runs. */
async function runs(): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle('ucgm-runs', { create: true });
}

async function namesIn(folder: FileSystemDirectoryHandle, kind: FileSystemHandleKind): Promise<string[]> {
  const names: string[] = [];
  for await (const [name, handle] of folder.entries()) if (handle.kind === kind) names.push(name);
  return names;
}

/** What the browser refuses, as an IoError that names the place. */
async function refused<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof IoError) throw error;
    const missing = globalThis.navigator?.storage?.getDirectory === undefined;
    const why = missing ? 'this place has no files of its own' : systemReason(error);
    const fix = missing ? 'use a page served by HTTPS, not in a private window, or another store' : ROOM;
    throw new IoError('write', where, `the browser's files cannot be used (${why})`, fix, error);
  }
}
