import type { CommandLine } from '../run/commands.ts';
import type { Evaluation, EvaluationProblem } from '../run/evaluation.ts';
import type { Expected } from '../run/expected.ts';
import type { RunConfig } from '../run/settings.ts';
import { type ComparedRun, comparisonSection } from './comparison.ts';
import { documentHtml } from './document.ts';
import { evaluationSection } from './evaluation.ts';
import { escapeHtml, section } from './html.ts';
import { shortNumber } from './numbers.ts';
import { duration, minuteOf, originSection, trainingSeconds } from './origin.ts';
import { type SampledGrid, type Strip, samplesSection, stripSection } from './pictures.ts';
import { scheduleSection } from './schedule.ts';
import { column, lastOf, type Row } from './series.ts';
import { trainingSection } from './training.ts';

/** All that a report shows; what is left out of a run folder is left out here. */
export interface ReportData {
  readonly config: RunConfig;
  /** The configuration as the run folder holds it. */
  readonly configText: string;
  /** The lines of metrics.jsonl, steps rising. */
  readonly metrics: readonly Row[];
  /** Lines of it that could not be read, and are left out. */
  readonly brokenLines?: number;
  /** Grids of samples to show, steps rising. */
  readonly samples: readonly SampledGrid[];
  readonly strip?: Strip;
  /** Classes of the columns of the grids and the strip, from the left. */
  readonly columnNames?: readonly string[];
  readonly evaluation?: Evaluation | EvaluationProblem;
  /** What the preset gave that the run follows. */
  readonly expected?: Expected;
  /** The adapter that the run was trained on. */
  readonly adapter?: string;
  /** Numbers that are trained. */
  readonly parameters?: number;
  /** The commands that trained it, the one that made it first. */
  readonly commands?: readonly CommandLine[];
  /** Other runs to show beside it. */
  readonly others?: readonly ComparedRun[];
}

/** A run as one HTML page that needs no other file and no network. */
export function reportHtml(data: ReportData): string {
  const {
    config,
    metrics,
    samples,
    strip,
    evaluation,
    columnNames = [],
    commands = [],
    others = [],
    parameters,
  } = data;
  const title = `${config.model.name} on ${config.data.name}`;
  const sections = [
    trainingSection(metrics, data.brokenLines ?? 0, data.expected),
    ...(others.length > 0
      ? [
          comparisonSection([
            { name: 'this run', config, metrics, ...(parameters !== undefined && { parameters }) },
            ...others,
          ]),
        ]
      : []),
    ...(strip ? [stripSection(strip, columnNames)] : []),
    samplesSection(samples, config.train.sample_every, columnNames),
    ...(evaluation ? [evaluationSection(evaluation, data.expected)] : []),
    scheduleSection(config),
    originSection(commands),
    configSection(data.configText),
  ];
  return documentHtml(title, facts(data), sections.join('\n'));
}

/** What one wants to know first. */
function facts({ config, metrics, adapter, parameters, commands = [] }: ReportData): string {
  const { model, data, transport, optimizer, train } = config;
  const done = metrics.at(-1)?.step ?? 0;
  const loss = lastOf(column(metrics.slice(-100), 'loss'));
  const rate = lastOf(column(metrics.slice(-100), 'imagesPerSecond'));
  const seconds = trainingSeconds(metrics, data.batch_size);
  const { method = 'UCGM', consistc_ratio } = transport;
  const unified = consistc_ratio === 0 ? 'multi-step' : `few-step, consistency ${consistc_ratio}`;
  const kind = method === 'UCGM' ? unified : `any-step, ${method}`;
  const list: readonly (readonly [name: string, value: string | undefined])[] = [
    ['Date', commands[0] && minuteOf(commands[0].date)],
    ['Model', model.name],
    ['Parameters', parameters === undefined ? undefined : shortNumber(parameters)],
    ['Data', data.name],
    ['Steps', `${shortNumber(done)} of ${shortNumber(train.steps)}`],
    ['Training time', seconds === undefined ? undefined : duration(seconds)],
    ['Adapter', adapter],
    ['Batch', shortNumber(data.batch_size)],
    ['Objective', `${transport.transport_type}, ${kind}`],
    ['Optimiser', `${optimizer.type}, rate ${optimizer.lr}`],
    ['Last loss', loss === undefined ? undefined : shortNumber(loss)],
    ['Images/s', rate === undefined ? undefined : shortNumber(rate)],
    ['Seed', String(train.seed)],
    ['Version', commands[0]?.version],
  ];
  const shown = list.filter(([, value]) => value !== undefined);
  const items = shown.map(([name, value]) => `<div><dt>${name}</dt><dd>${escapeHtml(String(value))}</dd></div>`);
  return `<dl>\n${items.join('\n')}\n</dl>`;
}

function configSection(text: string): string {
  return section(
    'Configuration',
    `<details><summary>config.yaml: every setting, defaults included</summary>\n<pre tabindex="0"><code>${escapeHtml(text)}</code></pre>\n</details>`,
  );
}
