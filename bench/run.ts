/**
 * npm run bench -- --suite smoke|kernels|compile|model|latents [--json FILE] [--filter RE]
 * smoke, kernels: the catalogue's cases, each checked against its oracle, then timed. model: training steps. compile: processor time to compile each variant.
 * latents: streaming data, no GPU. One JSON line a case.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { adapterName } from '../src/device/index.ts';
import { openNodeDevice } from '../src/device/node.ts';
import { capsOf } from '../src/kernel/index.ts';
import type { KernelCase } from '../test/catalogue/case.ts';
import { catalogue } from '../test/catalogue/index.ts';
import { bindCase, runCase } from '../test/catalogue/run.ts';
import { measureCeilings } from './ceilings.ts';
import { type CompileCost, measureCompiles } from './compile.ts';
import { measureLatents } from './latents.ts';
import { measureModel, modelCases } from './model.ts';
import { timeDispatch, warm } from './time.ts';

const WARM_MS = 300;

const SUITES: { [name: string]: (c: KernelCase, software: boolean) => boolean } = {
  smoke: (c) => c.smoke === true,
  // A software adapter would take hours over the cases that fill a GPU.
  kernels: (c, software) => (software ? !c.benchOnly || c.flops < 2e9 : true),
};

type Run = (device: GPUDevice, filter: RegExp) => Promise<object[]>;

const RUNS: { [name: string]: Run } = { compile: runCompiles, model: runModels };

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      suite: { type: 'string', default: 'smoke' },
      json: { type: 'string' },
      filter: { type: 'string', default: '' },
    },
  });
  const { suite } = values;
  if (suite === 'latents') return benchLatents(values.json);
  const run = RUNS[suite] ?? (SUITES[suite] && ((device, filter) => runKernels(device, suite, filter)));
  if (!run) {
    const known = [...Object.keys(SUITES), ...Object.keys(RUNS), 'latents'].join(', ');
    throw new UsageError(`suite ${suite} does not exist. Fix: use one of ${known}`);
  }
  const filter = new RegExp(values.filter);
  const device = await openNodeDevice();
  const adapter = adapterName(device);
  console.log(`adapter: ${adapter}`);
  if (capsOf(device).software) console.log('a software adapter: these times say nothing about a GPU');
  const results = await run(device, filter);
  const commit = currentCommit();
  const lines = results.map((result) => `${JSON.stringify({ suite, ...result, adapter, commit })}\n`);
  if (values.json) writeFileSync(values.json, lines.join(''));
}

/** 500 MB and 2 GB: the memory must be the same. */
async function benchLatents(json: string | undefined): Promise<void> {
  const results = [await measureLatents(500), await measureLatents(2000)];
  for (const { case: name, mbPerSecond, waitMs, rssMb } of results)
    console.log(
      `${name}: ${mbPerSecond.toFixed(0)} MB/s; a step of 60 ms waits ${waitMs.toFixed(2)} ms; ${rssMb[0].toFixed(0)} MB resident after 50 batches, ${rssMb[1].toFixed(0)} after 200`,
    );
  if (json)
    writeFileSync(json, results.map((result) => `${JSON.stringify({ suite: 'latents', ...result })}\n`).join(''));
}

/** The cases of the tests; slowest last. */
async function runCompiles(device: GPUDevice, filter: RegExp): Promise<object[]> {
  const cases = catalogue.filter((c) => !c.benchOnly && filter.test(`${c.kernel} ${c.name}`));
  if (cases.length === 0) throw new UsageError(`no case matches ${filter}. Fix: try --filter matmul`);
  const results: CompileCost[] = [];
  for await (const cost of measureCompiles(device, cases)) results.push(cost);
  const all = (c: CompileCost) => c.pipelineMs + c.dispatchMs;
  results.sort((a, b) => all(a) - all(b));
  for (const { case: name, knobs, pipelineMs, dispatchMs } of results)
    console.log(`${pipelineMs.toFixed(0).padStart(8)} ${dispatchMs.toFixed(0).padStart(8)}  ${name} [${knobs}]`);
  console.log('pipeline dispatch  case, processor ms');
  console.log(`${results.length} variants, ${(results.reduce((sum, c) => sum + all(c), 0) / 1000).toFixed(1)} s`);
  return results;
}

async function runModels(device: GPUDevice, filter: RegExp): Promise<object[]> {
  const { software } = capsOf(device);
  const names = modelCases(filter, software);
  if (names.length === 0) throw new UsageError(`no case matches ${filter}. Fix: leave --filter out`);
  const results: object[] = [];
  for (const name of names) {
    const result = await measureModel(device, name, software ? 5 : 100);
    const { ms, hostMs, firstMs, gpuBytes } = result;
    console.log(
      `${name}: ${ms.toFixed(2)} ms a step (host ${hostMs.toFixed(2)}), first ${firstMs.toFixed(0)} ms, ${(gpuBytes / 1e6).toFixed(0)} MB of buffers`,
    );
    results.push(result);
  }
  return results;
}

async function runKernels(device: GPUDevice, suite: string, filter: RegExp): Promise<object[]> {
  const { software } = capsOf(device);
  const chosen = SUITES[suite] as NonNullable<(typeof SUITES)[string]>;
  const cases = catalogue.filter((c) => chosen(c, software) && filter.test(`${c.kernel} ${c.name}`));
  if (cases.length === 0) throw new UsageError(`no case matches ${filter}. Fix: try --filter matmul`);
  const ceilings = await measureCeilings(device, software);
  console.log(
    `ceilings: copy ${ceilings.gbps.toFixed(1)} GB/s, f32 multiply-add ${ceilings.tflops.toFixed(3)} TFLOP/s`,
  );
  const results: object[] = [];
  for (const kase of cases) {
    const run = kase.prepare(device);
    const { error } = await runCase(device, kase, run);
    const bound = bindCase(device, run);
    const record = run.kernel.bind(bound.buffers as never, run.dims as never);
    // While the host computed the oracle the clocks went down: matmul 4096^3 then showed 6 TFLOP/s instead of 37.
    if (!software) await warm(device, run.kernel, record, WARM_MS);
    const timing = await timeDispatch(device, run.kernel, record);
    bound.destroy();
    const { flops, bytes, variant, shape } = kase;
    const tflops = flops / timing.ms / 1e9;
    const gbps = bytes / timing.ms / 1e6;
    const ofRoofline = Math.max(tflops / ceilings.tflops, gbps / ceilings.gbps);
    const name = `${kase.kernel} ${kase.name}`;
    const rates = { flops, bytes, tflops, gbps, ofRoofline };
    results.push({ case: name, variant, dtype: 'f32', shape, ...timing, ...rates, maxRelErr: error });
    const row = [
      timing.ms.toFixed(4).padStart(10),
      tflops.toFixed(3).padStart(8),
      gbps.toFixed(1).padStart(8),
      `${(100 * ofRoofline).toFixed(0)}%`.padStart(5),
    ];
    console.log(`${row.join(' ')}  ${error.toExponential(1)}  ${name}`);
  }
  console.log('        ms  TFLOP/s     GB/s  roof  error    case');
  return results;
}

class UsageError extends Error {}

function currentCommit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

main().catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(error instanceof UsageError ? 2 : 1);
});
