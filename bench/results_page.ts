import { documentHtml } from '../src/report/document.ts';
import { escapeHtml, section, table } from '../src/report/html.ts';
import { shortNumber } from '../src/report/numbers.ts';
import type { Environment } from './environment.ts';
import { isTimed, type Line, type Results, ResultsError } from './results.ts';
import { arithmeticOf, ceilingsOf, rooflinePoints } from './roofline.ts';
import { rooflineChart, roofs } from './roofline_chart.ts';

/** A results file by the name that stands above it. */
export interface NamedResults {
  readonly name: string;
  readonly results: Results;
}

/** Results files as one page that needs no other file and no network. @throws ResultsError as `resultsHtml`. */
export function resultsPage(files: readonly NamedResults[]): string {
  const title = files.length === 1 ? `Measured: ${files[0]?.name}` : 'Measured';
  return documentHtml(
    title,
    '',
    files.map((file) => section(file.name, `<div class="measured">\n${resultsHtml(file)}\n</div>`)).join('\n'),
  );
}

/**
 * A results file as HTML without an empty line, so that Markdown keeps it whole: where it comes from, its roofline where it has
 * ceilings, its cases by their share of it, its steps and passes of models, and what failed.
 * @throws ResultsError for a file that does not say where its numbers come from.
 */
export function resultsHtml({ name, results }: NamedResults): string {
  const { environment, cases } = results;
  if (!environment)
    throw new ResultsError(`${name} has no line of its environment`, 'measure again: bench --json writes it first');
  const timed = [...cases.values()].filter(isTimed);
  const steps = timed.filter(isStep);
  const others = timed.filter((line) => !isStep(line)).sort((a, b) => shareOf(b) - shareOf(a));
  const failed = [...cases.values()].filter((line) => !isTimed(line));
  return [
    factsOf(environment),
    ...(environment.software
      ? ['<p class="warning">A software adapter: these times say nothing about a GPU.</p>']
      : []),
    ...rooflineOf(name, results),
    tableOf(CASES, others),
    tableOf(STEPS, steps),
    ...failed.map(
      (line) => `<p class="warning">failed: ${escapeHtml(`${line.case}: ${String(line.error ?? 'no time')}`)}</p>`,
    ),
  ]
    .filter((part) => part !== '')
    .join('\n')
    .replace(/\n\s*\n/g, '\n');
}

/** Steps of training, and passes of autoencoders: suite model. */
const isStep = (line: Line) => typeof line.firstMs === 'number';

const shareOf = ({ ofRoofline }: Line) => (typeof ofRoofline === 'number' ? ofRoofline : 0);

function factsOf(environment: Environment): string {
  const { adapter, driver, date, commit, version, runtime, os, cpu } = environment;
  const ceilings = ceilingsOf({ environment, cases: new Map() });
  const list: readonly (readonly [name: string, value: unknown])[] = [
    ['Adapter', adapter],
    ['Driver', driver],
    ['Date', typeof date === 'string' ? `${date.slice(0, 16).replace('T', ' ')} UTC` : undefined],
    ['Commit', commit],
    ['Version', version],
    ['Runtime', runtime],
    ['System', os],
    ['Processor', cpu],
    ['Ceilings', ceilings && roofs(ceilings).join(', ')],
  ];
  const items = list
    .filter(([, value]) => typeof value === 'string' && value !== '')
    .map(([name, value]) => `<div><dt>${name}</dt><dd>${escapeHtml(value as string)}</dd></div>`);
  return `<dl>\n${items.join('\n')}\n</dl>`;
}

/** The chart with what it leaves out; nothing without ceilings or points. */
function rooflineOf(name: string, results: Results): string[] {
  const ceilings = ceilingsOf(results);
  const points = rooflinePoints(results);
  if (!ceilings || points.length === 0) return [];
  const left = [...results.cases.values()].filter(isTimed).length - points.length;
  const caption = [
    'The roof is what copying and multiplying and adding in f32 reached in the same run.',
    ceilings.matrixTflops !== undefined &&
      'Products on subgroup matrices are held against the dashed one, f32x3 against a third of it.',
    ceilings.matrixTflops === undefined &&
      points.some(({ tflops }) => tflops > ceilings.tflops) &&
      'Products on subgroup matrices may lie above: their ceiling is a higher one.',
    left > 0 && `Cases that compute nothing are in the table alone: ${left}.`,
  ];
  return [
    '<figure>',
    rooflineChart(points, ceilings, name),
    `<figcaption>${escapeHtml(caption.filter(Boolean).join(' '))}</figcaption>`,
    '</figure>',
  ];
}

type Columns = readonly (readonly [head: string, cell: (line: Line) => string])[];

const spread: Columns[number] = [
  'p10 to p90',
  ({ p10, p90 }) => (number(p10) && number(p90) ? `${number(p10)} to ${number(p90)}` : ''),
];

const CASES: Columns = [
  ['case', (line) => line.case],
  ['of the roof', ({ ofRoofline }) => (typeof ofRoofline === 'number' ? `${Math.round(100 * ofRoofline)}%` : '')],
  ['ms', ({ ms }) => number(ms)],
  spread,
  ['TFLOP/s', ({ tflops }) => number(tflops)],
  ['GB/s', ({ gbps }) => number(gbps)],
  ['computes in', (line) => (line.tflops === undefined ? '' : arithmeticOf(line))],
  ['kernel', ({ kernel }) => words(kernel)],
  ['variant', ({ variant }) => words(variant)],
];

const STEPS: Columns = [
  ['case', (line) => line.case],
  ['ms', ({ ms }) => number(ms)],
  spread,
  ['forward, ms', ({ forwardMs }) => number(forwardMs)],
  ['host, ms', ({ hostMs }) => number(hostMs)],
  ['first, ms', ({ firstMs }) => number(firstMs)],
  ['kernels, ms', ({ kernelMs }) => number(kernelMs)],
  ['peak, MB', ({ peakBytes }) => (typeof peakBytes === 'number' ? number(peakBytes / 1e6) : '')],
  ['computes in', ({ dtype }) => words(dtype)],
];

/** A table of the columns that some line has something in; nothing without lines. */
function tableOf(columns: Columns, lines: readonly Line[]): string {
  if (lines.length === 0) return '';
  const kept = columns.filter(([, cell]) => lines.some((line) => cell(line) !== ''));
  return table(
    kept.map(([head]) => head),
    lines.map((line) => kept.map(([, cell]) => cell(line))),
  );
}

const number = (value: unknown) => (typeof value === 'number' ? shortNumber(value) : '');

/** A list of knobs may break after a comma. */
const words = (value: unknown) => (typeof value === 'string' ? value.replaceAll(',', ', ') : '');
