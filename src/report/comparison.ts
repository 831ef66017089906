import type { RunConfig } from '../run/settings.ts';
import { suitsLog } from './axis.ts';
import { figures } from './charts.ts';
import { section, table } from './html.ts';
import { shortNumber } from './numbers.ts';
import { duration, trainingSeconds } from './origin.ts';
import { column, lastOf, type Row, runningMean } from './series.ts';

/** A run beside others. */
export interface ComparedRun {
  readonly name: string;
  readonly config: RunConfig;
  /** The lines of its metrics.jsonl, steps rising. */
  readonly metrics: readonly Row[];
  readonly parameters?: number;
}

/** Settings in which runs differ without a meaning of their own. */
const UNTOLD = /^data\.(fingerprint|class_names)$/;

/** Runs side by side: their losses in one chart, what came of them, and the settings in which they differ. */
export function comparisonSection(runs: readonly ComparedRun[]): string {
  const lines = runs.map(({ name, metrics }) => ({ name, points: runningMean(column(metrics, 'loss')) }));
  const log = suitsLog(lines.flatMap(({ points }) => points));
  const last = lines.map(({ name, points }) => `${name} ${shortNumber(lastOf(points) ?? Number.NaN)}`);
  const chart = figures([
    {
      id: 'compared',
      alt: `Loss over steps of ${runs.length} runs, at the end: ${last.join(', ')}`,
      caption: 'Loss, the mean of the last 2 % of the steps (five at least)',
      x: { name: 'step' },
      y: { name: 'loss', ...(log && { log: 10 as const }) },
      lines,
    },
  ]);
  return section('Compared', `${chart}\n${tableOf(runs)}`);
}

function tableOf(runs: readonly ComparedRun[]): string {
  const none = '\u2013';
  const number = (value: number | undefined) => (value === undefined ? none : shortNumber(value));
  const results: [string, (run: ComparedRun) => string][] = [
    ['steps', ({ metrics }) => shortNumber(metrics.at(-1)?.step ?? 0)],
    ['loss at the end', ({ metrics }) => number(lastOf(runningMean(column(metrics, 'loss'))))],
    ['images/s', ({ metrics }) => number(lastOf(column(metrics.slice(-100), 'imagesPerSecond')))],
    [
      'training time',
      ({ metrics, config }) => {
        const seconds = trainingSeconds(metrics, config.data.batch_size);
        return seconds === undefined ? none : duration(seconds);
      },
    ],
    ['parameters', ({ parameters }) => number(parameters)],
  ];
  const settings = runs.map(({ config }) => flat(config));
  const keys = [...new Set(settings.flatMap((each) => [...each.keys()]))];
  const differing = keys.filter((key) => !UNTOLD.test(key) && new Set(settings.map((each) => each.get(key))).size > 1);
  return table(
    ['', ...runs.map(({ name }) => name)],
    [
      ...results.map(([name, of]) => [name, ...runs.map(of)]),
      ...differing.map((key) => [key, ...settings.map((each) => each.get(key) ?? none)]),
    ],
  );
}

/** Settings as `section.key` and text. */
function flat(config: RunConfig): Map<string, string> {
  return new Map(
    Object.entries(config).flatMap(([part, entries]) =>
      Object.entries(entries)
        .filter(([, value]) => value !== undefined)
        .map(([key, value]): [string, string] => [
          `${part}.${key}`,
          typeof value === 'string' ? value : JSON.stringify(value),
        ]),
    ),
  );
}
