import type { Evaluation, EvaluationProblem } from '../run/evaluation.ts';
import { figures, type Line } from './charts.ts';
import { escapeHtml, section, shortNumber, table } from './html.ts';

/** The table of an evaluation and its distance over steps, or why there is none. */
export function evaluationSection(evaluation: Evaluation | EvaluationProblem): string {
  if ('problem' in evaluation) {
    return section(
      'Evaluation',
      `<p class="warning">${escapeHtml(evaluation.problem)}. Make it again with <code>ucgm eval</code>.</p>`,
    );
  }
  const { features, images, reference, rows, adapter, date } = evaluation;
  const about = `${shortNumber(images)} images against ${reference}, features of ${features}; ${adapter}, ${date}`;
  const lines = linesOf(evaluation);
  const chart = lines.some(({ points }) => points.length > 0)
    ? figures([
        {
          id: 'frechet',
          alt: `Frechet distance over sampling steps: ${rows.map(({ steps, frechet }) => `${shortNumber(frechet)} at ${steps}`).join(', ')}`,
          caption: 'Frechet distance to the data, lower is better',
          x: { name: 'sampling steps', log: 2 },
          y: { name: 'Frechet distance', log: 10 },
          lines,
        },
      ])
    : '';
  return section('Evaluation', `<p>${escapeHtml(about)}</p>\n${chart}\n${tableOf(evaluation)}`);
}

/** A line for each setting and order. */
function linesOf({ rows }: Evaluation): Line[] {
  const names = [...new Set(rows.map(nameOf))];
  return names.map((name) => {
    const own = rows.filter((each) => nameOf(each) === name && each.frechet > 0).sort((p, q) => p.steps - q.steps);
    return { name, marks: true, points: own.map(({ steps, frechet }) => [steps, frechet] as const) };
  });
}

function nameOf({ setting, order }: Evaluation['rows'][number]): string {
  return `${setting}, order ${order}`;
}

function tableOf({ rows }: Evaluation): string {
  const optional = (value: number | null) => (value === null ? '–' : shortNumber(value));
  return table(
    [
      'steps',
      'order',
      'network passes',
      'setting',
      'Frechet',
      'KID',
      'precision',
      'recall',
      'accuracy',
      'nearest',
      'seconds',
    ],
    rows.map((each) => [
      String(each.steps),
      String(each.order),
      shortNumber(each.nfe),
      each.setting,
      ...[each.frechet, each.kid, each.precision, each.recall].map(shortNumber),
      optional(each.accuracy),
      optional(each.nearest),
      shortNumber(each.seconds),
    ]),
  );
}
