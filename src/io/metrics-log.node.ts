import { closeSync, existsSync, fsyncSync, openSync, readFileSync } from 'node:fs';
import { atomicWrite, writeAll } from './atomic.node.ts';
import { IoError, systemReason } from './errors.ts';

/** One line of metrics.jsonl: a step and what was measured in it; null for what was not finite. */
export type MetricsLine = { readonly step: number } & { readonly [name: string]: number | null };

/** metrics.jsonl: one JSON object a line, one line a step, steps rising, also after a crash and a resume. */
export class MetricsLog {
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
      atomicWrite(path, kept.map((line) => `${JSON.stringify(line)}\n`).join(''));
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
    writeAll(this.#fd, new TextEncoder().encode(`${JSON.stringify(line)}\n`));
  }

  close(): void {
    if (this.#fd === undefined) return;
    fsyncSync(this.#fd);
    closeSync(this.#fd);
    this.#fd = undefined;
  }
}

/**
 * The lines of a metrics.jsonl, in order. A last line without its line break was cut off by a crash and is left out.
 * @throws IoError naming file and line for anything else that is not an object with a whole number `step`.
 */
export function readMetrics(path: string): MetricsLine[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new IoError('read', path, `it cannot be read (${systemReason(error)})`, 'check the path', error);
  }
  const whole = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  return whole.slice(0, -1).map((line, i) => {
    const value = parsed(line);
    if (typeof value !== 'object' || value === null || !Number.isInteger((value as { step?: unknown }).step)) {
      const what = `line ${i + 1} is no object with a step`;
      throw new IoError('log-line', path, what, 'remove the line, or move the file away');
    }
    return value as MetricsLine;
  });
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
