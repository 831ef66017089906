import type { Evaluation, EvaluationProblem, EvaluationRow } from '../run/evaluation.ts';
import type { Expected } from '../run/expected.ts';
import { figures, type Line } from './charts.ts';
import { escapeHtml, section, table } from './html.ts';
import { shortNumber } from './numbers.ts';

/** The table of an evaluation and its distance over steps, or why there is none. */
export function evaluationSection(evaluation: Evaluation | EvaluationProblem, expected?: Expected): string {
  if ('problem' in evaluation) {
    return section(
      'Evaluation',
      `<p class="warning">${escapeHtml(evaluation.problem)}. Make it again with <code>ucgm eval</code>.</p>`,
    );
  }
  const { features, images, reference, rows, adapter, date } = evaluation;
  const about = `${shortNumber(images)} images against ${reference}, features of ${features}; ${adapter}, ${date}`;
  const { scored } = expected ?? {};
  const lines = [...linesOf(evaluation), ...(expected && scored ? [presetLine(expected.preset, scored.frechet)] : [])];
  const chart = lines.some(({ points }) => points.length > 0)
    ? figures([
        {
          id: 'frechet',
          alt: `Frechet distance over sampling steps: ${rows.map(({ steps, frechet }) => `${shortNumber(frechet)} at ${steps}`).join(', ')}`,
          caption: `Frechet distance to the data, lower is better${scored ? `; broken: ${scored.how}` : ''}`,
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

/** The distances that a preset gave. */
function presetLine(preset: string, points: Line['points']): Line {
  return { name: `preset ${preset}`, points, colour: 3, dashed: true, marks: true };
}

function nameOf({ setting, order }: Evaluation['rows'][number]): string {
  return `${setting}, order ${order}`;
}

function tableOf(evaluation: Evaluation): string {
  const { rows } = evaluation;
  return `${table(
    SCORE_COLUMNS,
    rows.map((each) => evaluationRow(each, evaluation)),
  )}\n${sizesOf(evaluation)}`;
}

/** The columns of evaluationRow. */
export const SCORE_COLUMNS = [
  'steps',
  'order',
  'network passes',
  'setting',
  'samples',
  'Frechet',
  'of endless samples',
  'KID',
  'precision',
  'recall',
  'accuracy',
  'nearest',
  'seconds',
] as const;

/** A row of scores as cells of text: of several seeds of the noise means, the distance and others with their deviation. */
export function evaluationRow(each: EvaluationRow, { images }: Evaluation): string[] {
  const score = (name: 'frechet' | 'kid' | 'precision' | 'recall' | 'accuracy' | 'nearest') => {
    const [value, off] = [each[name], each.deviation?.[name]];
    if (value === null) return '–';
    return typeof off === 'number'
      ? `${shortNumber(value)} ± ${shortNumber(Number(off.toPrecision(2)))}`
      : shortNumber(value);
  };
  const { seeds = [], limit } = each;
  return [
    String(each.steps),
    String(each.order),
    shortNumber(each.nfe),
    each.setting,
    seeds.length > 1 ? `${seeds.length} × ${shortNumber(images)}` : shortNumber(images),
    score('frechet'),
    typeof limit === 'number' ? shortNumber(limit) : '–',
    ...(['kid', 'precision', 'recall', 'accuracy', 'nearest'] as const).map(score),
    shortNumber(each.seconds),
  ];
}

/** The distance by number of samples, where it was taken. */
function sizesOf({ rows }: Evaluation): string {
  const sized = rows.filter(({ bySize = [] }) => bySize.length > 1);
  const sizes = sized[0]?.bySize?.map(({ images }) => images) ?? [];
  if (sized.length === 0) return '';
  const inner = table(
    ['steps', 'setting', ...sizes.map((n) => `${shortNumber(n)} samples`), 'endless samples'],
    sized.map(({ steps, setting, bySize = [], limit }) => [
      String(steps),
      setting,
      ...sizes.map((n) => {
        const found = bySize.find(({ images }) => images === n);
        return found ? shortNumber(found.frechet) : '–';
      }),
      typeof limit === 'number' ? shortNumber(limit) : '–',
    ]),
  );
  return `<details><summary>The Frechet distance by number of samples</summary>\n<p>Of few samples it reads too high by nearly c / n; the last column is where the line through the others meets 1 / n = 0.</p>\n${inner}\n</details>`;
}
