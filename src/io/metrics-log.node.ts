import { closeSync, existsSync, fsyncSync, openSync, readFileSync } from 'node:fs';
import { atomicWrite, writeAll } from './atomic.node.ts';
import { IoError, systemReason } from './errors.ts';
import { readAll, withFile } from './read.node.ts';

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

/** What a metrics.jsonl holds: its lines, and the numbers, from 1, of those that are none. */
export interface MetricsRead {
  readonly lines: MetricsLine[];
  readonly broken: number[];
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
  const lines: MetricsLine[] = [];
  const broken: number[] = [];
  const whole = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  whole.slice(0, -1).forEach((line, i) => {
    const value = parsed(line);
    if (value) lines.push(value);
    else broken.push(i + 1);
  });
  return { lines, broken };
}

/** The step of the first line; undefined where there is none. */
export function firstMetricsStep(path: string): number | undefined {
  return withFile(path, (fd) => {
    const head = new TextDecoder().decode(readAll(fd, new Uint8Array(4096)));
    return parsed(head.slice(0, head.indexOf('\n')))?.step;
  });
}

/** JSON has no NaN; other programs write it all the same. */
const NOT_NUMBERS = /([:,[]\s*)(?:NaN|-?Infinity)(?=\s*[,\]}])/g;

function parsed(line: string): MetricsLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line.replace(NOT_NUMBERS, '$1null'));
  } catch {
    return undefined;
  }
  const isLine = typeof value === 'object' && value !== null && Number.isInteger((value as { step?: unknown }).step);
  return isLine ? (value as MetricsLine) : undefined;
}
