import { type Chart, figure } from './charts.ts';
import { section, shortNumber } from './html.ts';
import { column, extent, type Point, type Row, runningMean } from './series.ts';

const STEP = { name: 'step' };

/** Loss, throughput and gradients over the steps. */
export function trainingSection(rows: readonly Row[], broken: number): string {
  const left =
    broken === 0
      ? ''
      : `\n<p class="warning">${shortNumber(broken)} lines of metrics.jsonl are broken and left out.</p>`;
  if (rows.length === 0) return section('Training', `<p>Nothing was logged yet.</p>${left}`);
  const loss = column(rows, 'loss');
  const gradNorm = column(rows, 'gradNorm');
  const lossChart = withMean('loss', 'Loss', loss);
  const charts = [
    figure(lossChart),
    figure(withMean('norm', 'Gradient norm', gradNorm)),
    figure(throughput(column(rows, 'imagesPerSecond'))),
    ...nonFiniteChart(column(rows, 'nonFinite')),
  ];
  const early = figure({ ...lossChart, id: 'early', x: { ...STEP, log: 10 } });
  return section(
    'Training',
    `<div class="charts">\n${charts.join('\n')}\n</div>
<details><summary>The loss over a logarithmic axis of steps</summary>\n${early}\n</details>
<p>${notMeasured(rows.length, loss, gradNorm)} ${nonFiniteText(column(rows, 'nonFinite'))}</p>${left}`,
  );
}

/** The last value that was measured. */
export function lastOf(points: readonly Point[]): number | undefined {
  return points.findLast(([, y]) => y !== null)?.[1] ?? undefined;
}

function withMean(id: string, name: string, points: readonly Point[]): Chart {
  const mean = runningMean(points);
  return {
    id,
    alt: `${name} over steps: ${summary(mean)}`,
    caption: `${name}; the strong line is the mean of the last 2 % of the steps (five at least)`,
    x: STEP,
    y: { name: name.toLowerCase(), ...(spansDecades(points) && { log: 10 }) },
    lines: [
      { name: 'each step', points, faint: true, colour: 0 },
      { name: 'running mean', points: mean, colour: 0 },
    ],
  };
}

function throughput(points: readonly Point[]): Chart {
  return {
    id: 'rate',
    alt: `Images per second over steps: ${summary(points)}`,
    caption: 'Throughput since the run was started or resumed, checkpoints and samples included',
    x: STEP,
    y: { name: 'images/s' },
    lines: [{ name: 'images/s', points, colour: 1 }],
  };
}

/** A chart only where there is something to see: zeros are said in words. */
function nonFiniteChart(points: readonly Point[]): string[] {
  if ((extent(points)?.[1] ?? 0) === 0) return [];
  const chart: Chart = {
    id: 'nonfinite',
    alt: `Gradients that were NaN or infinite over steps: ${summary(points)}`,
    caption: 'Gradients that were NaN or infinite, and counted as 0',
    x: STEP,
    y: { name: 'non-finite gradients' },
    lines: [{ name: 'non-finite gradients', points, colour: 3 }],
  };
  return [figure(chart)];
}

function nonFiniteText(points: readonly Point[]): string {
  if (extent(points) === undefined) return '';
  const bad = points.filter(([, y]) => y !== null && y > 0).length;
  return bad === 0
    ? 'No gradient was NaN or infinite.'
    : `${shortNumber(bad)} of ${shortNumber(points.length)} steps had gradients that were NaN or infinite.`;
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

/** Whether a logarithmic axis shows more than a linear one. */
function spansDecades(points: readonly Point[]): boolean {
  const range = extent(points);
  return range !== undefined && range[0] > 0 && range[1] / range[0] > 30;
}
