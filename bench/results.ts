import { appendFileSync, closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { UsageError } from '../src/cli/failure.ts';
import { systemReason } from '../src/io/errors.ts';
import type { Environment } from './environment.ts';

/** A case of a results file. */
export interface Line {
  readonly suite: string;
  readonly case: string;
  readonly ms?: number;
  readonly p10?: number;
  readonly p90?: number;
  readonly kernel?: string;
  readonly variant?: string;
  /** Why it has no numbers. */
  readonly error?: string;
  readonly [field: string]: unknown;
}

/** A results file: an environment, and the last line of every case. */
export interface Results {
  readonly environment: Environment | undefined;
  readonly cases: ReadonlyMap<string, Line>;
}

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

/** Reads a results file. @throws UsageError for a file that is none. */
export function readResults(path: string): Results {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${path} cannot be read (${systemReason(error)})`, 'give a file that bench --json wrote');
  }
  const lines = text.split('\n').flatMap((line, i) => (line.trim() ? [parsed(line, `${path}: line ${i + 1}`)] : []));
  const environment = lines.find((line) => line.suite === 'environment') as unknown as Environment | undefined;
  const cases = lines.filter((line) => typeof line.case === 'string' && (isTimed(line) || line.error !== undefined));
  if (cases.length === 0) throw new UsageError(`${path} holds no case`, 'give what bench --json wrote');
  return { environment, cases: new Map(cases.map((line) => [line.case, line])) };
}

/** Whether a case was measured. */
export const isTimed = (line: Line | undefined): line is Line & { readonly ms: number } =>
  line?.error === undefined && Number.isFinite(line?.ms) && (line?.ms as number) > 0;

function parsed(line: string, where: string): Line {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // said below
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError(`${where} is no object of JSON`, 'give what bench --json wrote');
  return value as Line;
}

/** The first number of a result that is none, as `name is NaN`; undefined where all are finite. */
export function notFinite(result: object, path = ''): string | undefined {
  for (const [name, value] of Object.entries(result)) {
    const at = path ? `${path}.${name}` : name;
    if (typeof value === 'number' && !Number.isFinite(value)) return `${at} is ${value}`;
    const inner = typeof value === 'object' && value !== null ? notFinite(value, at) : undefined;
    if (inner) return inner;
  }
  return undefined;
}
