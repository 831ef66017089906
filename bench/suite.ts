import type { Environment } from './environment.ts';
import { notFinite, type ResultsFile } from './results.ts';

/** What every case measures, beside what is its suite's. */
export interface Measured {
  readonly case: string;
  readonly ms: number;
}

/** A suite made ready on a device: its cases, and how their results look as text. */
export interface Suite<R extends Measured = Measured> {
  readonly environment: Environment;
  /** Names of the columns of `rows`. */
  readonly columns: string;
  /** By name. A case that is the same work as one before gives nothing. */
  readonly cases: ReadonlyMap<string, () => Promise<R | undefined>>;
  rows(result: R): string[];
  /** What the results come to, before the count of cases. */
  summary?(results: readonly R[]): string[];
}

/**
 * Runs a suite: columns, a row or more a case as it ends, then the summary. A case that is wrong, or has a number that is not
 * finite, is said and counted, and the others run.
 * @returns how many failed.
 */
export async function runSuite(name: string, suite: Suite, file: ResultsFile | undefined): Promise<number> {
  file?.begin(name, suite.environment);
  console.log(suite.columns);
  const results: Measured[] = [];
  const failed: string[] = [];
  for (const [kase, measure] of suite.cases) {
    try {
      const result = await measure();
      if (!result) continue;
      const wrong = notFinite(result);
      if (wrong) throw new Error(wrong);
      results.push(result);
      file?.add(result);
      for (const row of suite.rows(result)) console.log(row);
    } catch (error) {
      const what = (error instanceof Error ? error.message : String(error)).split('\n')[0] as string;
      failed.push(kase);
      file?.add({ case: kase, error: what });
      console.log(`     WRONG  ${what.startsWith(kase) ? what : `${kase}: ${what}`}`);
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
