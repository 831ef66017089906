import type { Expected } from '../run/expected.ts';
import { suitsLog } from './axis.ts';
import { type Chart, figures } from './charts.ts';
import { section, table } from './html.ts';
import { shortNumber } from './numbers.ts';
import { column, evenly, extent, lastOf, type Point, type Row, runningMean } from './series.ts';

const STEP = { name: 'step' };

/** Loss, throughput and gradients over the steps. */
export function trainingSection(rows: readonly Row[], broken: number, expected?: Expected): string {
  const left =
    broken === 0
      ? ''
      : `\n<p class="warning">${shortNumber(broken)} lines of metrics.jsonl are broken and left out.</p>`;
  if (rows.length === 0) return section('Training', `<p>Nothing was logged yet.</p>${left}`);
  const loss = column(rows, 'loss');
  const gradNorm = column(rows, 'gradNorm');
  const lossChart = withExpected(withMean('loss', 'Loss', loss), expected, rows);
  const charts = [
    lossChart,
    withMean('norm', 'Gradient norm', gradNorm),
    throughput(column(rows, 'imagesPerSecond')),
    ...nonFiniteChart(column(rows, 'nonFinite')),
  ];
  const early = figures([{ ...lossChart, id: 'early', x: { ...STEP, log: 10 } }]);
  return section(
    'Training',
    `${figures(charts)}
<details><summary>The loss over a logarithmic axis of steps</summary>\n${early}\n</details>
<details><summary>Some of the numbers</summary>\n${numbers(rows)}\n</details>
<p>${notMeasured(rows.length, loss, gradNorm)} ${nonFiniteText(column(rows, 'nonFinite'))}${skippedText(column(rows, 'skipped'), column(rows, 'lossScale'))}</p>${left}`,
  );
}

/** Steps of the table. */
const MOST_ROWS = 20;

/** Some steps as a table, the last among them. */
function numbers(rows: readonly Row[]): string {
  const cell = (row: Row, name: string) => {
    const value: unknown = row[name];
    return typeof value === 'number' && Number.isFinite(value) ? shortNumber(value) : '–';
  };
  return table(
    ['step', 'loss', 'gradient norm', 'images/s'],
    evenly(rows, MOST_ROWS).map((row) => [
      shortNumber(row.step),
      ...['loss', 'gradNorm', 'imagesPerSecond'].map((name) => cell(row, name)),
    ]),
  );
}

function withMean(id: string, name: string, points: readonly Point[]): Chart {
  const mean = runningMean(points);
  return {
    id,
    alt: `${name} over steps: ${summary(mean)}`,
    caption: `${name}; the strong line is the mean of the last 2 % of the steps (five at least)`,
    x: STEP,
    y: { name: name.toLowerCase(), ...(suitsLog(points) && { log: 10 }) },
    lines: [
      { name: 'each step', points, faint: true, colour: 0 },
      { name: 'running mean', points: mean, colour: 0 },
    ],
  };
}

/** The loss of the preset that a run follows beside the run's own, up to where that is. */
function withExpected(chart: Chart, expected: Expected | undefined, rows: readonly Row[]): Chart {
  if (!expected) return chart;
  const { preset, adapter, date, loss } = expected;
  const last = Math.max(rows.at(-1)?.step ?? 0, loss[1]?.[0] ?? 0);
  const points = loss.filter(([step]) => step <= last);
  return {
    ...chart,
    caption: `${chart.caption}; broken: what preset ${preset} gave on ${adapter}, ${date}`,
    lines: [...chart.lines, { name: `preset ${preset}`, points, colour: 3, dashed: true }],
  };
}

function throughput(points: readonly Point[]): Chart {
  return {
    id: 'rate',
    alt: `Images per second over steps: ${summary(points)}`,
    caption: 'Throughput of the steps since the measurement before, without checkpoints, samples and pauses',
    x: STEP,
    y: { name: 'images/s' },
    lines: [{ name: 'images/s', points, colour: 1 }],
  };
}

/** A chart only where there is something to see: zeros are said in words. */
function nonFiniteChart(points: readonly Point[]): Chart[] {
  if ((extent(points)?.[1] ?? 0) === 0) return [];
  const chart: Chart = {
    id: 'nonfinite',
    alt: `Gradients that were NaN or infinite over steps: ${summary(points)}`,
    caption: 'Gradients that were NaN or infinite, and counted as 0',
    x: STEP,
    y: { name: 'non-finite gradients' },
    lines: [{ name: 'non-finite gradients', points, colour: 3 }],
  };
  return [chart];
}

function nonFiniteText(points: readonly Point[]): string {
  if (extent(points) === undefined) return '';
  const bad = points.filter(([, y]) => y !== null && y > 0).length;
  return bad === 0
    ? 'No gradient was NaN or infinite.'
    : `${shortNumber(bad)} of ${shortNumber(points.length)} steps had gradients that were NaN or infinite.`;
}

/** What a training in mixed precision did about gradients that overflowed. */
function skippedText(skipped: readonly Point[], scale: readonly Point[]): string {
  const [count, last] = [lastOf(skipped), lastOf(scale)];
  if (count === undefined || last === undefined) return '';
  return ` ${shortNumber(count)} steps were skipped, as mixed precision does where gradients overflow; the loss was scaled by ${last} at the end.`;
}

function notMeasured(steps: number, loss: readonly Point[], gradNorm: readonly Point[]): string {
  const missing = (points: readonly Point[]) => points.filter(([, y]) => y === null).length;
  const [badLoss, badNorm] = [missing(loss), missing(gradNorm)];
  if (badLoss + badNorm === 0) return `${shortNumber(steps)} steps were logged.`;
  return `${shortNumber(steps)} steps were logged; in ${shortNumber(badLoss)} the loss, and in ${shortNumber(badNorm)} the gradient norm, was not finite (gaps in the lines).`;
}

function summary(points: readonly Point[]): string {
  const [range, last] = [extent(points), lastOf(points)];
  if (!range || last === undefined) return 'nothing finite was measured';
  const first = points.find(([, y]) => y !== null)?.[1] as number;
  const [low, high] = range.map(shortNumber);
  return `from ${shortNumber(first)} to ${shortNumber(last)}, lowest ${low}, highest ${high}`;
}
