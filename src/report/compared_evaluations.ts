import type { Evaluation } from '../run/evaluation.ts';
import { figures } from './charts.ts';
import { documentHtml } from './document.ts';
import { evaluationRow, SCORE_COLUMNS } from './evaluation.ts';
import { escapeHtml, section, table } from './html.ts';

/** What was scored, and what came of it. */
export interface NamedEvaluation {
  readonly name: string;
  readonly evaluation: Evaluation;
}

/** Scores of several models as a page, one table and one picture, and what makes them hard to compare. */
export function comparedEvaluations(all: readonly NamedEvaluation[]): { html: string; notes: string[] } {
  const lines = all.flatMap(({ name, evaluation: { rows } }) =>
    [...new Set(rows.map(({ setting }) => setting))].map((setting) => ({
      name: rows.every((row) => row.setting === setting) ? name : `${name}: ${setting}`,
      marks: true,
      points: rows
        .filter((row) => row.setting === setting && row.frechet > 0)
        .sort((a, b) => a.steps - b.steps)
        .map(({ steps, frechet }) => [steps, frechet] as const),
    })),
  );
  const last = lines.map(
    ({ name, points }) => `${name} ${points.map(([x, y]) => `${y.toFixed(2)} at ${x}`).join(', ')}`,
  );
  const chart = figures([
    {
      id: 'compared-scores',
      alt: `Frechet distance over sampling steps: ${last.join('; ')}`,
      caption: 'Frechet distance to the data, lower is better',
      x: { name: 'sampling steps', log: 2 },
      y: { name: 'Frechet distance', log: 10 },
      lines,
    },
  ]);
  const rows = all.flatMap(({ name, evaluation }) => evaluation.rows.map((row) => ({ name, row, evaluation })));
  rows.sort((a, b) => a.row.steps - b.row.steps || a.row.frechet - b.row.frechet);
  const cells = rows.map(({ name, row, evaluation }) => [name, ...evaluationRow(row, evaluation)]);
  const notes = differences(all);
  const warnings = notes.map((note) => `<p class="warning">${escapeHtml(note)}</p>`);
  const body = [chart, table(['run', ...SCORE_COLUMNS], cells), ...warnings, about(all)].join('\n');
  return { html: documentHtml('Scores compared', '', section('Scores', body)), notes };
}

/** Where scores were not taken alike. */
function differences(all: readonly NamedEvaluation[]): string[] {
  const kinds: [string, (evaluation: Evaluation) => string][] = [
    ['features', ({ features }) => features],
    ['training images', ({ reference }) => reference],
    ['samples', ({ images }) => String(images)],
    ['seeds of the noise', ({ rows }) => [...new Set(rows.map(({ seeds = [] }) => seeds.join(',')))].join(' and ')],
  ];
  return kinds.flatMap(([what, of]) => {
    const each = all.map(({ name, evaluation }) => ({ name, value: of(evaluation) }));
    if (new Set(each.map(({ value }) => value)).size === 1) return [];
    return [`the ${what} differ: ${each.map(({ name, value }) => `${name} ${value || 'not known'}`).join('; ')}`];
  });
}

function about(all: readonly NamedEvaluation[]): string {
  return table(
    ['run', 'model', 'training images', 'features', 'adapter', 'date'],
    all.map(({ name, evaluation: { model, reference, features, adapter, date } }) => [
      name,
      model,
      reference,
      features,
      adapter,
      date,
    ]),
  );
}
