import { type Command, InvalidArgumentError } from 'commander';
import { AdapterCache } from '../src/cli/adapter_cache.ts';
import { UsageError } from '../src/cli/failure.ts';
import { NO_TUNED, openTunedDevice } from '../src/cli/open_device.ts';
import { prepareFiles } from '../src/cli/output.ts';
import { openNodeDevice } from '../src/device/node.ts';
import { atomicWrite } from '../src/io/atomic.node.ts';
import { capsOf, type TunedNumbers } from '../src/kernel/index.ts';
import { Baseline } from './baseline.ts';
import { compareResults } from './compare.ts';
import { type Environment, environment } from './environment.ts';
import { latentsSuite } from './latents.ts';
import { modelCases } from './model_cases.ts';
import { thisPlace } from './place.ts';
import { ResultsFile, readResults } from './results_file.ts';
import { resultsPage } from './results_page.ts';
import { profileLines, profileStep } from './step_profile.ts';
import { type Measured, runSuite, type Suite } from './suite.ts';
import { SUITES } from './suites.ts';
import { numbersLine, tune } from './tune.ts';
import { isTunable, measureOn } from './tune_measure.ts';

const ALL = /(?:)/;

type DeviceSuite = keyof typeof SUITES;
const NAMES = [...Object.keys(SUITES), 'latents'];

interface BenchOptions {
  suite: DeviceSuite | 'latents';
  json?: string;
  filter?: RegExp;
  baseline?: string;
  compare?: boolean;
  allow?: number;
  html?: string;
  tune?: boolean;
  profile?: boolean;
  tuned?: boolean;
}

/** The command `ucgm bench`. */
export function addBench(ucgm: Command): void {
  ucgm
    .command('bench')
    .description(
      'Checks kernels against their oracles and times them (smoke: the smallest case of each; each: a middling one of each; kernels: all), times training steps and shows which kernels they spend their time in (model), measures what each kernel variant takes to compile (compile), how fast the device can copy and multiply at all (ceilings), or streams latent shards (latents). Or compares two results files, or draws some.',
    )
    .argument('[files...]', 'files that --json wrote; with --compare two, the older first')
    .option('--suite <name>', NAMES.join(', '), suiteName, 'smoke')
    .option('--filter <pattern>', 'only cases whose name matches, a regular expression', pattern)
    .option('--json <file>', 'write results as JSON lines: an environment, then a line a case')
    .option('--baseline <file>', "show ours by another library's times: what tools/torch_baseline.py wrote")
    .option('--compare', 'compare two results files, case by case; exit code 1 if a case is slower, failed or missing')
    .option('--profile', 'one training step, the first of suite model that --filter takes: kernels, gaps, the host')
    .option('--tune', 'search the tiles for this adapter, within a minute, and keep what was found for all commands')
    .option(...NO_TUNED)
    .option('--allow <percent>', 'with --compare: how much slower a case may be (default: 10)', percent)
    .option('--html <page>', 'draw results files as a page: where they come from, a roofline, tables; needs no device')
    .action(bench);
}

async function bench(files: string[], options: BenchOptions, command: Command): Promise<void> {
  if (options.html !== undefined) return draw(files, options.html, command);
  if (options.tune) return tuneAdapter(files, command);
  if (options.compare) return compare(files, options, command);
  if (options.profile) return profile(files, options, command);
  if (files.length > 0) throw new UsageError(`${files[0]} is no option`, 'files go with --compare or --html');
  if (options.allow !== undefined) throw new UsageError('--allow goes with --compare', 'leave it out');
  // Before the work.
  const file = options.json === undefined ? undefined : new ResultsFile(options.json);
  const baseline = options.baseline === undefined ? undefined : new Baseline(options.baseline);
  const { suite: name, filter = ALL } = options;
  if (name === 'latents')
    return run(name, latentsSuite(filter), environment(thisPlace(), undefined), filter, file, baseline);
  const open = () => openTunedDevice({ tuned: options.tuned, manyKernels: true, say: () => {} });
  const device = await openTunedDevice({ tuned: options.tuned });
  try {
    const place = thisPlace();
    const { adapter, software } = environment(place, device);
    console.log(`adapter: ${adapter}`);
    if (software) console.log('a software adapter: these times say nothing about a GPU');
    const suite = await SUITES[name]({ device, filter, open, say: console.log });
    await run(name, suite, environment(place, device, suite.ceilings), filter, file, baseline);
  } finally {
    device.destroy();
  }
}

async function run(
  name: string,
  suite: Suite,
  about: Environment,
  filter: RegExp,
  file: ResultsFile | undefined,
  baseline: Baseline | undefined,
): Promise<void> {
  if (suite.cases.size === 0)
    throw new UsageError(`no case matches ${filter}`, `leave --filter out, or take another suite than ${name}`);
  const summary = (results: readonly Measured[]) => [
    ...(suite.summary?.(results) ?? []),
    ...(baseline?.compare(results) ?? []),
  ];
  if ((await runSuite(name, { ...suite, summary }, about, file)) > 0) process.exitCode = 1;
}

/** Profiles one step on a device of its own. */
async function profile(files: readonly string[], options: BenchOptions, command: Command): Promise<void> {
  refuseBeside('--profile', ['suite', 'json', 'baseline', 'allow'], files, command);
  const device = await openTunedDevice({ tuned: options.tuned });
  try {
    const { software } = capsOf(device);
    if (!device.features.has('timestamp-query'))
      throw new UsageError('the device has no timestamps', 'take another adapter');
    const [name] = modelCases(options.filter ?? ALL, software);
    if (name === undefined)
      throw new UsageError(`no step matches ${options.filter}`, 'leave --filter out, or take a step of --suite model');
    console.log(`adapter: ${environment(thisPlace(), device).adapter}`);
    if (software) console.log('a software adapter: these times say nothing about a GPU');
    for (const line of profileLines(await profileStep(device, name))) console.log(line);
  } finally {
    device.destroy();
  }
}

/** @throws UsageError for what a mode of the command does not take. */
function refuseBeside(mode: string, names: readonly string[], files: readonly string[], command: Command): void {
  const given = names.find((name) => command.getOptionValueSource(name) === 'cli');
  if (given === undefined && files.length === 0) return;
  throw new UsageError(`${mode} has no use for ${files[0] ?? `--${given}`}`, 'leave it out');
}

/** Writes results files as one page, and prints its path. */
function draw(files: readonly string[], html: string, command: Command): void {
  refuseBeside('--html', ['suite', 'filter', 'json', 'baseline', 'compare', 'profile', 'tune', 'allow'], [], command);
  if (files.length === 0) throw new UsageError('--html takes files that --json wrote', 'bench --html PAGE.html FILE');
  const page = resultsPage(files.map((name) => ({ name, results: readResults(name) })));
  for (const file of files) prepareFiles([{ flag: '--html', path: html, extension: '.html' }], file);
  atomicWrite(html, page);
  console.log(html);
}

/** Searches, prints what it found, and keeps it. */
async function tuneAdapter(files: readonly string[], command: Command): Promise<void> {
  refuseBeside('--tune', ['suite', 'filter', 'json', 'baseline', 'compare', 'profile', 'allow'], files, command);
  const device = await openNodeDevice();
  try {
    const cache = new AdapterCache(device);
    if (!isTunable(device)) throw new UsageError('a software adapter has nothing to tune', 'run it on a GPU');
    const start = performance.now();
    let numbers: TunedNumbers = {};
    for await (const found of tune(capsOf(device), measureOn(device))) {
      numbers = { ...numbers, ...found.numbers };
      const [before, after] = [found.before, found.after].map((share) => `${(100 * share).toFixed(1)}%`);
      console.log(`${found.of}: ${before} above the best of ${found.measured} ways, now ${after}`);
    }
    console.log(numbersLine(numbers));
    cache.keep({ tuned: { date: new Date().toISOString(), numbers } });
    console.log(
      `${Object.keys(numbers).length} numbers, ${((performance.now() - start) / 1000).toFixed(0)} s: ${cache.path}`,
    );
  } finally {
    device.destroy();
  }
}

function compare(files: readonly string[], options: BenchOptions, command: Command): void {
  const given = ['suite', 'json', 'baseline'].filter((name) => command.getOptionValueSource(name) === 'cli');
  if (given.length > 0) throw new UsageError(`--compare has no use for --${given[0]}`, 'leave it out');
  const [before, after, ...more] = files;
  if (before === undefined || after === undefined || more.length > 0)
    throw new UsageError(`--compare takes two files, not ${files.length}`, 'bench --compare OLD NEW');
  const { lines, worse } = compareResults(
    readResults(before),
    readResults(after),
    options.filter ?? ALL,
    1 + (options.allow ?? 10) / 100,
  );
  for (const line of lines) console.log(line);
  if (worse > 0) process.exitCode = 1;
}

function suiteName(text: string): string {
  if (!NAMES.includes(text)) throw new InvalidArgumentError(`use one of ${NAMES.join(', ')}.`);
  return text;
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw new InvalidArgumentError('give a regular expression.');
  }
}

function percent(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError('give a number of at least 0.');
  return value;
}
