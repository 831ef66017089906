import type { Outcome } from './run.ts';

/** Operators in order: how many cases passed, of these by a trick or in part, how many our kernels do not offer, how many are wrong. */
export function table(outcomes: readonly Outcome[]): string {
  const rows = [...groups(outcomes)].map(([op, own]) => {
    const passed = own.filter((o) => o.status === 'passed');
    return [
      op,
      passed.length,
      passed.filter((o) => o.tricks.length > 0).length,
      passed.filter((o) => o.parts.length > 0).length,
      own.filter((o) => o.status === 'not offered').length,
      own.filter((o) => o.status === 'wrong').length,
    ] as const;
  });
  const sums = [1, 2, 3, 4, 5].map((i) => rows.reduce((sum, row) => sum + (row[i] as number), 0));
  const cells = [['operator', 'passed', 'by a trick', 'in part', 'not offered', 'wrong'], ...rows, ['all', ...sums]];
  const text = cells.map((row) => row.map((cell, i) => (cell === 0 && i > 1 ? '' : String(cell))));
  const widths = [0, 1, 2, 3, 4, 5].map((i) => Math.max(...text.map((row) => (row[i] as string).length)));
  const lines = text.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[0] as number) : cell.padStart(widths[i] as number)))
      .join('  ')
      .trimEnd(),
  );
  return [...lines, '', ...missing(outcomes)].join('\n');
}

/** What each operator that is not offered whole would need, with the number of cases. */
function missing(outcomes: readonly Outcome[]): string[] {
  const lines = [...groups(outcomes.filter((o) => o.status === 'not offered'))].map(([op, own]) => {
    const needs = new Map<string, number>();
    for (const { why } of own) needs.set(why, (needs.get(why) ?? 0) + 1);
    return `  ${op}: ${[...needs].map(([why, count]) => `${why} (${count})`).join('; ')}`;
  });
  return lines.length > 0 ? ['not offered, and what it needs:', ...lines] : [];
}

function groups(outcomes: readonly Outcome[]): Map<string, Outcome[]> {
  const found = new Map<string, Outcome[]>();
  for (const o of outcomes) {
    const key = `${o.set} ${o.op}`;
    found.set(key, [...(found.get(key) ?? []), o]);
  }
  return new Map([...found].sort(([a], [b]) => a.localeCompare(b)));
}
