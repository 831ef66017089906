import { appendFileSync, closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { UsageError } from '../src/cli/failure.ts';
import { systemReason } from '../src/io/errors.ts';
import type { Environment } from './environment.ts';
import { isTimed, parseLines, parseResults, type Results } from './results.ts';

/**
 * A results file being written: an environment, then a line a case as soon as it is measured, so that a run that is ended early
 * has left what it had.
 */
export class ResultsFile {
  readonly #path: string;
  #common: object = {};

  /** @throws UsageError, before any work, for a file that cannot be written. What it held stays until the run begins. */
  constructor(path: string) {
    this.#path = path;
    const existed = existsSync(path);
    this.#write(() => closeSync(openSync(path, 'a')));
    if (!existed) rmSync(path);
  }

  /** Starts the file anew. @param suite what the lines are of. */
  begin(suite: string, environment: Environment): void {
    const { adapter, commit } = environment;
    this.#common = { suite, adapter, commit };
    this.#write(() => writeFileSync(this.#path, `${JSON.stringify(environment)}\n`));
  }

  /** A case's line. */
  add(line: object): void {
    this.#write(() => appendFileSync(this.#path, `${JSON.stringify({ ...this.#common, ...line })}\n`));
  }

  #write(work: () => void): void {
    try {
      work();
    } catch (error) {
      throw new UsageError(`--json ${this.#path} cannot be written (${systemReason(error)})`, 'give another file');
    }
  }
}

/** Reads a results file. @throws UsageError for a file that cannot be read, ResultsError for one that is none. */
export const readResults = (path: string): Results => parseResults(readText(path), path);

/** All cases of a results file that were timed, in its order, those of one name too. @throws as readResults. */
export const readTimes = (path: string) =>
  parseLines(readText(path), path).filter((line) => typeof line.case === 'string' && isTimed(line));

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${path} cannot be read (${systemReason(error)})`, 'give a file that bench --json wrote');
  }
}
