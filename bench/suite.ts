import type { Ceilings } from './ceilings.ts';
import type { Environment } from './environment.ts';
import { notFinite } from './results.ts';

/** What every case measures, beside what is its suite's. */
export interface Measured {
  readonly case: string;
  readonly ms: number;
}

/** A suite made ready on a device: its cases, and how their results look as text. */
export interface Suite<R extends Measured = Measured> {
  /** What its results are held against, where they are. */
  readonly ceilings?: Ceilings;
  /** Names of the columns of `rows`. */
  readonly columns: string;
  /** By name. A case that is the same work as one before gives nothing. */
  readonly cases: ReadonlyMap<string, () => Promise<R | undefined>>;
  rows(result: R): string[];
  /** What the results come to, before the count of cases. */
  summary?(results: readonly R[]): string[];
}

/** How a case went: its result, or in one line why it has none. */
export type Outcome<R extends Measured> = { readonly case: string } & (
  | { readonly result: R; readonly error?: undefined }
  | { readonly error: string; readonly result?: undefined }
);

/** Measures the cases of a suite one after the other. A case that is wrong, or has a number that is not finite, ends none of the others. */
export async function* outcomes<R extends Measured>(suite: Suite<R>): AsyncGenerator<Outcome<R>> {
  for (const [kase, measure] of suite.cases) {
    try {
      const result = await measure();
      if (!result) continue;
      const wrong = notFinite(result);
      if (wrong) throw new Error(wrong);
      yield { case: kase, result };
    } catch (error) {
      yield { case: kase, error: (error instanceof Error ? error.message : String(error)).split('\n')[0] as string };
    }
  }
}

/** Where results are written as they come. */
export interface ResultsSink {
  begin(suite: string, environment: Environment): void;
  add(line: object): void;
}

/**
 * Runs a suite: columns, a row or more a case as it ends, then the summary. A case that failed is said and counted.
 * @returns how many failed.
 */
export async function runSuite(
  name: string,
  suite: Suite,
  environment: Environment,
  to: ResultsSink | undefined,
): Promise<number> {
  to?.begin(name, environment);
  console.log(suite.columns);
  const results: Measured[] = [];
  const failed: string[] = [];
  for await (const { case: kase, result, error } of outcomes(suite)) {
    if (result) {
      results.push(result);
      to?.add(result);
      for (const row of suite.rows(result)) console.log(row);
    } else {
      failed.push(kase);
      to?.add({ case: kase, error });
      console.log(`     WRONG  ${error.startsWith(kase) ? error : `${kase}: ${error}`}`);
    }
  }
  for (const line of suite.summary?.(results) ?? []) console.log(line);
  for (const line of verdict(results.length, failed)) console.log(line);
  return failed.length;
}

/** The last lines of a summary: which cases failed, and how many passed. */
export function verdict(passed: number, failed: readonly string[]): string[] {
  return [...failed.map((name) => `failed: ${name}`), `${passed} passed, ${failed.length} failed`];
}
