import { FixableError } from '../src/kernel/index.ts';
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

/** A text that is no results of the bench. */
export class ResultsError extends FixableError {
  override readonly name = 'ResultsError';
}

/** Reads the text of a results file. @throws ResultsError for what is none. */
export function parseResults(text: string, where: string): Results {
  const lines = parseLines(text, where);
  const environment = lines.find((line) => line.suite === 'environment') as unknown as Environment | undefined;
  return { environment, cases: new Map(lines.filter(isCase).map((line) => [line.case, line])) };
}

/** Every line of a results file that is an object. @throws ResultsError for a text without a case. */
export function parseLines(text: string, where: string): Line[] {
  const lines = text.split('\n').flatMap((line, i) => (line.trim() ? [parsed(line, `${where}: line ${i + 1}`)] : []));
  if (!lines.some(isCase)) throw new ResultsError(`${where} holds no case`, 'give what bench --json wrote');
  return lines;
}

const isCase = (line: Line): boolean => typeof line.case === 'string' && (isTimed(line) || line.error !== undefined);

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
    throw new ResultsError(`${where} is no object of JSON`, 'give what bench --json wrote');
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
