import { type Command, InvalidArgumentError } from 'commander';
import { UsageError } from '../src/cli/failure.ts';
import { openNodeDevice } from '../src/device/node.ts';
import { capsOf } from '../src/kernel/index.ts';
import { type KernelCase, missingFeatures } from '../test/catalogue/case.ts';
import { catalogue } from '../test/catalogue/index.ts';
import { Baseline } from './baseline.ts';
import { ceilingSuite, ceilingsLine, measureCeilings } from './ceilings.ts';
import { compareResults } from './compare.ts';
import { compileSuite } from './compile.ts';
import { environment } from './environment.ts';
import { kernelSuite } from './kernels.ts';
import { latentsSuite } from './latents.ts';
import { modelSuite } from './model_suite.ts';
import { ResultsFile } from './results.ts';
import { type Measured, runSuite, type Suite } from './suite.ts';

const ALL = /(?:)/;

/** Suites by name: what they run on a device. */
const SUITES = {
  smoke: (device: GPUDevice, filter: RegExp) => kernels(device, (c) => c.smoke === true, filter),
  kernels: (device: GPUDevice, filter: RegExp) => {
    // A software adapter would take hours over the cases that fill a GPU.
    const { software } = capsOf(device);
    return kernels(device, (c) => !software || !c.benchOnly || c.flops < 2e9, filter);
  },
  compile: async (device: GPUDevice, filter: RegExp) =>
    compileSuite(
      device,
      runnable(device, (c) => !c.benchOnly, filter),
    ),
  ceilings: async (device: GPUDevice, filter: RegExp) => ceilingSuite(device, filter, capsOf(device).software),
  model: async (device: GPUDevice, filter: RegExp) => modelSuite(device, filter),
};
type DeviceSuite = keyof typeof SUITES;
const NAMES = [...Object.keys(SUITES), 'latents'];

interface BenchOptions {
  suite: DeviceSuite | 'latents';
  json?: string;
  filter?: RegExp;
  baseline?: string;
  compare?: boolean;
  allow?: number;
}

/** The command `ucgm bench`. */
export function addBench(ucgm: Command): void {
  ucgm
    .command('bench')
    .description(
      'Checks kernels against their oracles and times them (smoke: the smallest case of each; kernels: all), times training steps and shows which kernels they spend their time in (model), measures what each kernel variant takes to compile (compile), how fast the device can copy and multiply at all (ceilings), or streams latent shards (latents). Or compares two results files.',
    )
    .argument('[files...]', 'with --compare: two files that --json wrote, the older first')
    .option('--suite <name>', NAMES.join(', '), suiteName, 'smoke')
    .option('--filter <pattern>', 'only cases whose name matches, a regular expression', pattern)
    .option('--json <file>', 'write results as JSON lines: an environment, then a line a case')
    .option('--baseline <file>', "show ours by another library's times: what tools/torch_baseline.py wrote")
    .option('--compare', 'compare two results files, case by case; exit code 1 if a case is slower, failed or missing')
    .option('--allow <percent>', 'with --compare: how much slower a case may be (default: 10)', percent)
    .action(bench);
}

async function bench(files: string[], options: BenchOptions, command: Command): Promise<void> {
  if (options.compare) return compare(files, options, command);
  if (files.length > 0) throw new UsageError(`${files[0]} is no option`, 'files go with --compare');
  if (options.allow !== undefined) throw new UsageError('--allow goes with --compare', 'leave it out');
  // Before the work.
  const file = options.json === undefined ? undefined : new ResultsFile(options.json);
  const baseline = options.baseline === undefined ? undefined : new Baseline(options.baseline);
  const { suite: name, filter = ALL } = options;
  if (name === 'latents') return run(name, latentsSuite(filter), filter, file, baseline);
  const device = await openNodeDevice();
  try {
    const { adapter, software } = environment(device);
    console.log(`adapter: ${adapter}`);
    if (software) console.log('a software adapter: these times say nothing about a GPU');
    await run(name, await SUITES[name](device, filter), filter, file, baseline);
  } finally {
    device.destroy();
  }
}

async function run(
  name: string,
  suite: Suite,
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
  if ((await runSuite(name, { ...suite, summary }, file)) > 0) process.exitCode = 1;
}

/** Cases of the catalogue that the device has the features for; says how many it has not. */
function runnable(device: GPUDevice, chosen: (kase: KernelCase) => boolean, filter: RegExp): KernelCase[] {
  const cases = catalogue.filter((c) => chosen(c) && filter.test(`${c.kernel} ${c.name}`));
  const lacking = cases.filter((kase) => missingFeatures(kase, device).length > 0);
  if (lacking.length > 0) console.log(`left out: ${lacking.length} cases of features that the device does not have`);
  return cases.filter((kase) => !lacking.includes(kase));
}

async function kernels(device: GPUDevice, chosen: (kase: KernelCase) => boolean, filter: RegExp) {
  const { software } = capsOf(device);
  const cases = runnable(device, chosen, filter);
  const ceilings = cases.length > 0 ? await measureCeilings(device, software) : { gbps: 0, tflops: 0 };
  if (cases.length > 0) console.log(ceilingsLine(ceilings));
  return kernelSuite(device, cases, ceilings, software);
}

function compare(files: readonly string[], options: BenchOptions, command: Command): void {
  const given = ['suite', 'json', 'baseline'].filter((name) => command.getOptionValueSource(name) === 'cli');
  if (given.length > 0) throw new UsageError(`--compare has no use for --${given[0]}`, 'leave it out');
  const [before, after, ...more] = files;
  if (before === undefined || after === undefined || more.length > 0)
    throw new UsageError(`--compare takes two files, not ${files.length}`, 'bench --compare OLD NEW');
  const { lines, worse } = compareResults(before, after, options.filter ?? ALL, 1 + (options.allow ?? 10) / 100);
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
