import { writeFileSync } from 'node:fs';
import { type Command, InvalidArgumentError } from 'commander';
import { UsageError } from '../src/cli/failure.ts';
import { openNodeDevice } from '../src/device/node.ts';
import { capsOf } from '../src/kernel/index.ts';
import { type KernelCase, missingFeatures } from '../test/catalogue/case.ts';
import { catalogue } from '../test/catalogue/index.ts';
import { measureCeilings } from './ceilings.ts';
import { compareResults } from './compare.ts';
import { type CompileCost, measureCompiles } from './compile.ts';
import { environment } from './environment.ts';
import { KERNEL_COLUMNS, type KernelResult, kernelRow, measureKernel } from './kernels.ts';
import { measureLatents } from './latents.ts';
import { measureModel, modelCases, modelRows } from './model.ts';

const WARM_MS = 300;

const SUITES: { [name: string]: (c: KernelCase, software: boolean) => boolean } = {
  smoke: (c) => c.smoke === true,
  // A software adapter would take hours over the cases that fill a GPU.
  kernels: (c, software) => (software ? !c.benchOnly || c.flops < 2e9 : true),
};
const ALL = /(?:)/;
const NAMES = [...Object.keys(SUITES), 'compile', 'model', 'latents'];

interface BenchOptions {
  suite: string;
  json?: string;
  filter?: RegExp;
  compare?: boolean;
}

/** Makes a command the bench. */
export function benchCommand(command: Command): Command {
  return command
    .description(
      'Checks kernels against their oracles and times them (smoke, kernels), times training steps and shows which kernels they spend their time in (model), measures what each kernel variant takes to compile (compile), or streams latent shards (latents).',
    )
    .argument('[files...]', 'with --compare: two files that --json wrote, the older first')
    .option('--suite <name>', NAMES.join(', '), suite, 'smoke')
    .option('--filter <pattern>', 'only cases whose name matches, a regular expression', pattern)
    .option('--json <file>', 'write results as JSON lines: an environment, then a line a case')
    .option('--compare', 'compare two results files, case by case')
    .action(bench);
}

async function bench(files: string[], options: BenchOptions): Promise<void> {
  if (options.compare) {
    if (files.length !== 2)
      throw new UsageError(`--compare takes two files, not ${files.length}`, 'bench --compare OLD NEW');
    for (const line of compareResults(files[0] as string, files[1] as string)) console.log(line);
    return;
  }
  if (files.length > 0) throw new UsageError(`${files[0]} is no option`, 'files go with --compare');
  if (options.json !== undefined) save(options.json, []); // before the work
  if (options.suite === 'latents') return benchLatents(options.json);
  const device = await openNodeDevice();
  const { adapter, software } = environment(device);
  console.log(`adapter: ${adapter}`);
  if (software) console.log('a software adapter: these times say nothing about a GPU');
  if (options.suite === 'model') await benchModels(device, options);
  else if (options.suite === 'compile') await benchCompiles(device, options);
  else await benchKernels(device, options);
  device.destroy();
}

/** The cases of a choice that the device has the features for; says how many it has not. */
function runnable(device: GPUDevice, chosen: (kase: KernelCase) => boolean): KernelCase[] {
  const cases = catalogue.filter(chosen);
  const lacking = cases.filter((kase) => missingFeatures(kase, device).length > 0);
  if (lacking.length > 0) console.log(`left out: ${lacking.length} cases of features that the device does not have`);
  return cases.filter((kase) => !lacking.includes(kase));
}

async function benchKernels(device: GPUDevice, { suite, filter = ALL, json }: BenchOptions): Promise<void> {
  const { software } = capsOf(device);
  const chosen = SUITES[suite] as NonNullable<(typeof SUITES)[string]>;
  const cases = runnable(device, (c) => chosen(c, software) && filter.test(`${c.kernel} ${c.name}`));
  if (cases.length === 0) throw new UsageError(`no case matches ${filter}`, 'try --filter matmul');
  const ceilings = await measureCeilings(device, software);
  console.log(
    `ceilings: copy ${ceilings.gbps.toFixed(1)} GB/s, f32 multiply-add ${ceilings.tflops.toFixed(3)} TFLOP/s`,
  );
  console.log(KERNEL_COLUMNS);
  const results: KernelResult[] = [];
  const wrong: { case: string; error: string }[] = [];
  for (const kase of cases) {
    try {
      const result = await measureKernel(device, kase, ceilings, software);
      results.push(result);
      console.log(kernelRow(result));
    } catch (error) {
      const what = (error instanceof Error ? error.message : String(error)).split('\n')[0] as string;
      wrong.push({ case: `${kase.kernel} ${kase.name}`, error: what });
      console.log(`     WRONG  ${kase.kernel} ${kase.name}: ${what}`);
    }
  }
  if (json !== undefined) save(json, [environment(device, ceilings), ...results, ...wrong], suite);
  for (const line of summary(results, wrong.length)) console.log(line);
  if (wrong.length > 0) process.exitCode = 1;
}

/** Shortest time that counts in a summary: below, a dispatch is all start and end. */
const LEAST_MS = 0.02;

/** How many passed and failed, and which are farthest below their ceiling. */
export function summary(results: readonly KernelResult[], failed: number): string[] {
  const slow = results.filter((r) => r.ms >= LEAST_MS).sort((a, b) => a.ofRoofline - b.ofRoofline);
  const worst = new Map<string, KernelResult>();
  for (const r of slow) {
    const family = r.case.split(' ')[0] as string;
    // Of each kernel its largest case: small ones cannot fill a device.
    const known = worst.get(family);
    if (!known || r.bytes > known.bytes) worst.set(family, r);
  }
  const ranked = [...worst.values()].sort((a, b) => a.ofRoofline - b.ofRoofline).slice(0, 5);
  return [
    ...(ranked.length > 0 ? ['farthest below their ceiling, of each kernel the largest case:'] : []),
    ...ranked.map((r) => `${(100 * r.ofRoofline).toFixed(1).padStart(6)}%  ${r.case}`),
    `${results.length} passed, ${failed} failed`,
  ];
}

async function benchModels(device: GPUDevice, { filter = ALL, json }: BenchOptions): Promise<void> {
  const { software } = capsOf(device);
  const names = modelCases(filter, software);
  if (names.length === 0) throw new UsageError(`no case matches ${filter}`, 'leave --filter out');
  const results = [];
  for (const name of names) {
    const result = await measureModel(device, name, software ? 5 : 100, software ? 0 : WARM_MS);
    for (const line of modelRows(result)) console.log(line);
    results.push(result);
  }
  if (json !== undefined) save(json, [environment(device), ...results], 'model');
}

/** Processor time to compile, of the cases that run on any device. */
async function benchCompiles(device: GPUDevice, { filter = ALL, json }: BenchOptions): Promise<void> {
  const cases = runnable(device, (c) => !c.benchOnly && filter.test(`${c.kernel} ${c.name}`));
  if (cases.length === 0) throw new UsageError(`no case matches ${filter}`, 'try --filter attention');
  console.log('  pipeline  dispatch  variant (ms of processor time)');
  const results: CompileCost[] = [];
  for await (const cost of measureCompiles(device, cases)) {
    results.push(cost);
    const ms = [cost.pipelineMs, cost.dispatchMs].map((value) => value.toFixed(0).padStart(10)).join('');
    console.log(`${ms}  ${cost.kernel}[${cost.knobs}]  ${cost.case}`);
  }
  const total = results.reduce((sum, { pipelineMs, dispatchMs }) => sum + pipelineMs + dispatchMs, 0);
  console.log(`${results.length} variants, ${(total / 1000).toFixed(1)} s of processor time`);
  if (json !== undefined) save(json, [environment(device), ...results], 'compile');
}

/** 500 MB and 2 GB: the memory must be the same. */
async function benchLatents(json: string | undefined): Promise<void> {
  const results = [await measureLatents(500), await measureLatents(2000)];
  for (const { case: name, mbPerSecond, waitMs, rssMb } of results)
    console.log(
      `${name}: ${mbPerSecond.toFixed(0)} MB/s; a step of 60 ms waits ${waitMs.toFixed(2)} ms; ${rssMb[0].toFixed(0)} MB resident after 50 batches, ${rssMb[1].toFixed(0)} after 200`,
    );
  if (json !== undefined) save(json, results, 'latents');
}

/** Writes lines of JSON, each with the suite, the adapter and the commit that it is of. @throws UsageError where it cannot. */
function save(path: string, lines: readonly object[], suite?: string): void {
  const [first] = lines as { adapter?: string; commit?: string }[];
  const common = { ...(suite && { suite }), ...(first?.adapter && { adapter: first.adapter, commit: first.commit }) };
  try {
    writeFileSync(path, lines.map((line) => `${JSON.stringify({ ...common, ...line })}\n`).join(''));
  } catch (error) {
    throw new UsageError(`--json ${path} cannot be written (${(error as Error).message})`, 'give another file');
  }
}

function suite(text: string): string {
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
