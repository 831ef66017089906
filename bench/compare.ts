import type { Environment } from './environment.ts';
import { isTimed, type Line, type Results, ResultsError } from './results.ts';

/** Two results files side by side. */
export interface Comparison {
  readonly lines: readonly string[];
  /** What speaks against the newer file: cases that are slower, or that it lacks. */
  readonly worse: number;
}

/** A case that both have. */
export interface Pair {
  readonly name: string;
  readonly was: number;
  readonly is: number;
  readonly ratio: number;
  /** Outside both spreads, not just different: p10 of the slower lies above p90 of the faster. */
  readonly sure: boolean;
  readonly variants: string;
}

/**
 * Cases of two results files, the most changed first, then what only one of them has.
 * @param filter the cases that count; the others are left out.
 * @param allowed how many times as long a case may take, beyond the spread of both, before it counts as slower.
 * @throws ResultsError where they have no case in common.
 */
export function compareResults(before: Results, after: Results, filter: RegExp, allowed: number): Comparison {
  const [old, now] = [before, after].map((results) => only(results, filter)) as [Results, Results];
  const both = pairsOf(old, now);
  if (both.length === 0) throw new ResultsError('the two files have no case in common', 'compare runs of one suite');
  const mean = Math.exp(both.reduce((sum, { ratio }) => sum + Math.log(ratio), 0) / both.length);
  const broken = [...now.cases.values()].filter((line) => !isTimed(line));
  const gone = [...old.cases.keys()].filter((name) => !now.cases.has(name));
  const added = [...now.cases.values()].filter((line) => isTimed(line) && !isTimed(old.cases.get(line.case)));
  const slower = both.filter((pair) => pair.sure && pair.ratio > allowed);
  const faster = both.filter((pair) => pair.sure && pair.ratio < 1 / allowed);
  const counts = [`${both.length} cases`, `${slower.length} slower`, `${faster.length} faster`];
  if (broken.length + gone.length > 0) counts.push(`${broken.length} failed`, `${gone.length} missing`);
  return {
    worse: slower.length + broken.length + gone.length,
    lines: [
      ...warnings(old.environment, now.environment),
      `before: ${describe(old.environment)}`,
      `after:  ${describe(now.environment)}`,
      '    before      after  ratio   case (ms; * beyond the spread of both)',
      ...both.map(row),
      ...broken.map((line) => `failed after: ${line.case}: ${line.error ?? 'no time'}`),
      ...gone.map((name) => `only before: ${name}`),
      ...added.map((line) => `only after: ${line.case}`),
      `${counts.join(', ')}, geometric mean of the ratios ${mean.toFixed(3)}`,
    ],
  };
}

/** The cases that two results both have, the most changed first. */
export function pairsOf(old: Results, now: Results): Pair[] {
  const sameSchema = old.environment?.schema === now.environment?.schema; // else a variant is told in other words
  const both = [...now.cases.values()].flatMap((line) => pairOf(old.cases.get(line.case), line, sameSchema));
  return both.sort((a, b) => Math.abs(Math.log(b.ratio)) - Math.abs(Math.log(a.ratio)));
}

const only = (results: Results, filter: RegExp): Results => ({
  ...results,
  cases: new Map([...results.cases].filter(([name]) => filter.test(name))),
});

function pairOf(old: Line | undefined, now: Line, sameSchema: boolean): Pair[] {
  if (!isTimed(old) || !isTimed(now)) return [];
  const [fast, slow] = now.ms < old.ms ? [now, old] : [old, now];
  const chosen = [old, now].map((line) => (line.kernel ? `${line.kernel}[${line.variant ?? ''}]` : ''));
  return [
    {
      name: now.case,
      was: old.ms,
      is: now.ms,
      ratio: now.ms / old.ms,
      sure: (slow.p10 ?? slow.ms) > (fast.p90 ?? fast.ms),
      variants: sameSchema && chosen[0] && chosen[0] !== chosen[1] ? `  (${chosen.join(' -> ')})` : '',
    },
  ];
}

const row = ({ name, was, is, ratio, sure, variants }: Pair) =>
  `${was.toFixed(4).padStart(10)} ${is.toFixed(4).padStart(10)} ${ratio.toFixed(3).padStart(6)} ${sure ? '*' : ' '} ${name}${variants}`;

function warnings(one: Environment | undefined, other: Environment | undefined): string[] {
  if (!one || !other || one.adapter === other.adapter) return [];
  return [`different adapters: ${one.adapter} before, ${other.adapter} after`];
}

const describe = (e: Environment | undefined) =>
  e ? `${e.version} ${e.commit}, ${e.date}, ${e.adapter}, ${e.runtime}` : 'no environment line: an older file';
