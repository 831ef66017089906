import { readFileSync } from 'node:fs';
import { UsageError } from '../src/cli/failure.ts';
import type { Environment } from './environment.ts';

interface Line {
  readonly suite: string;
  readonly case: string;
  readonly ms?: number;
  readonly p10?: number;
  readonly p90?: number;
}

interface Results {
  readonly environment: Environment | undefined;
  readonly cases: ReadonlyMap<string, Line>;
}

/** Reads what `--json` wrote. @throws UsageError for a file that is none. */
function readResults(path: string): Results {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new UsageError(`${path} cannot be read`, 'give two files that bench --json wrote');
  }
  const lines = text
    .split('\n')
    .filter(Boolean)
    .map((line, i) => {
      try {
        return JSON.parse(line) as Line;
      } catch {
        throw new UsageError(`${path} is no results file: line ${i + 1} is no JSON`, 'give what bench --json wrote');
      }
    });
  const environment = lines.find((line) => line.suite === 'environment') as unknown as Environment | undefined;
  return { environment, cases: new Map(lines.flatMap((line) => (line.ms === undefined ? [] : [[line.case, line]]))) };
}

/** Cases of two results files side by side, the most changed first, with what only one of them has; as lines. */
export function compareResults(before: string, after: string): string[] {
  const [old, now] = [readResults(before), readResults(after)];
  const both = [...now.cases.values()].flatMap((line) => {
    const other = old.cases.get(line.case);
    if (!other?.ms || !line.ms) return [];
    // Outside both spreads, not just different: p10 of the slower lies above p90 of the faster.
    const [fast, slow] = line.ms < other.ms ? [line, other] : [other, line];
    const sure = (slow.p10 ?? slow.ms ?? 0) > (fast.p90 ?? fast.ms ?? 0);
    return [{ name: line.case, was: other.ms, is: line.ms, ratio: line.ms / other.ms, sure }];
  });
  if (both.length === 0) throw new UsageError('the two files have no case in common', 'compare runs of one suite');
  both.sort((a, b) => Math.abs(Math.log(b.ratio)) - Math.abs(Math.log(a.ratio)));
  const mean = Math.exp(both.reduce((sum, { ratio }) => sum + Math.log(ratio), 0) / both.length);
  const only = (a: Results, b: Results) => [...a.cases.keys()].filter((name) => !b.cases.has(name));
  const [gone, added] = [only(old, now), only(now, old)];
  const [one, other] = [old.environment, now.environment];
  return [
    ...(one && other && one.adapter !== other.adapter
      ? [`different adapters: ${one.adapter} before, ${other.adapter} after`]
      : []),
    `before: ${describe(one)}`,
    `after:  ${describe(other)}`,
    '    before      after  ratio   case (* beyond the spread of both)',
    ...both.map(
      ({ name, was, is, ratio, sure }) =>
        `${was.toFixed(4).padStart(10)} ${is.toFixed(4).padStart(10)} ${ratio.toFixed(3).padStart(6)} ${sure ? '*' : ' '} ${name}`,
    ),
    ...gone.map((name) => `only before: ${name}`),
    ...added.map((name) => `only after: ${name}`),
    `${both.length} cases, ${both.filter((c) => c.sure && c.ratio > 1).length} slower, ${both.filter((c) => c.sure && c.ratio < 1).length} faster, geometric mean of the ratios ${mean.toFixed(3)}`,
  ];
}

const describe = (e: Environment | undefined) =>
  e ? `${e.version} ${e.commit}, ${e.date}, ${e.adapter}, ${e.runtime}` : 'no environment line: an older file';
