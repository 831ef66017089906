import { closeSync, existsSync, fsyncSync, openSync, readFileSync } from 'node:fs';
import { atomicWrite, writeAll } from '../io/atomic.node.ts';
import { IoError, systemReason } from '../io/errors.ts';
import { readAll, withFile } from '../io/read.node.ts';
import { type MetricsLine, type MetricsRead, metricsText, parseMetrics, parseMetricsLine } from './metrics.ts';
import type { MetricsWriter } from './store.ts';

/** metrics.jsonl: one JSON object a line, one line a step, steps rising, also after a crash and a resume. */
export class MetricsLog implements MetricsWriter {
  readonly #path: string;
  #fd: number | undefined;

  private constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
  }

  /**
   * Opens the log for the steps after `resumeStep`. Lines of later steps are dropped, because they will be written again, and
   * so is a last line that a crash cut off.
   * @throws IoError for a log that cannot be read or written, or with a broken line before its last.
   */
  static open(path: string, resumeStep: number): MetricsLog {
    if (existsSync(path)) {
      const kept = readMetrics(path).filter(({ step }) => step <= resumeStep);
      atomicWrite(path, kept.map(metricsText).join(''));
    }
    try {
      return new MetricsLog(path, openSync(path, 'a'));
    } catch (error) {
      throw new IoError('write', path, `it cannot be opened (${systemReason(error)})`, 'check its folder', error);
    }
  }

  /** Adds a line. A value that is not finite is written as null, which is what JSON has for it. */
  append(line: MetricsLine): void {
    if (this.#fd === undefined) throw new IoError('closed', this.#path, 'it is closed', 'append before close()');
    writeAll(this.#fd, new TextEncoder().encode(metricsText(line)));
  }

  close(): void {
    if (this.#fd === undefined) return;
    fsyncSync(this.#fd);
    closeSync(this.#fd);
    this.#fd = undefined;
  }
}

/**
 * The lines of a metrics.jsonl, in order, NaN and Infinity read as null. A last line without its line break was cut off by a
 * crash and is left out.
 * @throws IoError naming file and line for anything else that is not an object with a whole number `step`.
 */
export function readMetrics(path: string): MetricsLine[] {
  const { lines, broken } = readSoundMetrics(path);
  if (broken[0] === undefined) return lines;
  const what = `line ${broken[0]} is no object with a step`;
  throw new IoError('log-line', path, what, 'remove the line, or move the file away');
}

/** As readMetrics, for a look at a run: lines that are broken are left out, and named. @throws IoError. */
export function readSoundMetrics(path: string): MetricsRead {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new IoError('read', path, `it cannot be read (${systemReason(error)})`, 'check the path', error);
  }
  return parseMetrics(text);
}

/** The step of the first line; undefined where there is none. */
export function firstMetricsStep(path: string): number | undefined {
  return withFile(path, (fd) => {
    const head = new TextDecoder().decode(readAll(fd, new Uint8Array(4096)));
    return parseMetricsLine(head.slice(0, head.indexOf('\n')))?.step;
  });
}
