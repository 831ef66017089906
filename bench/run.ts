/**
 * npm run bench -- --suite smoke|kernels [--json FILE] [--filter RE]
 * Runs the catalogue's cases: each is checked against its oracle, then timed. One JSON line a case.
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
import { timeDispatch } from './time.ts';

const SUITES: { [name: string]: (c: KernelCase, software: boolean) => boolean } = {
  smoke: (c) => c.smoke === true,
  // A software adapter would take hours over the cases that fill a GPU.
  kernels: (c, software) => (software ? !c.benchOnly || c.flops < 2e9 : true),
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      suite: { type: 'string', default: 'smoke' },
      json: { type: 'string' },
      filter: { type: 'string', default: '' },
    },
  });
  const chosen = SUITES[values.suite];
  if (!chosen)
    throw new UsageError(`suite ${values.suite} does not exist. Fix: use one of ${Object.keys(SUITES).join(', ')}`);
  const device = await openNodeDevice();
  const { software } = capsOf(device);
  const adapter = adapterName(device);
  const cases = catalogue.filter((c) => chosen(c, software) && new RegExp(values.filter).test(`${c.kernel} ${c.name}`));
  if (cases.length === 0) throw new UsageError(`no case matches ${values.filter}. Fix: try --filter matmul`);

  const ceilings = await measureCeilings(device, software);
  console.log(`adapter: ${adapter}`);
  console.log(
    `ceilings: copy ${ceilings.gbps.toFixed(1)} GB/s, f32 multiply-add ${ceilings.tflops.toFixed(3)} TFLOP/s`,
  );
  if (software) console.log('a software adapter: these times say nothing about a GPU');
  const lines: string[] = [];
  const commit = currentCommit();
  for (const kase of cases) {
    const { error } = await runCase(device, kase);
    const run = kase.prepare(device);
    await run.kernel.ready;
    const bound = bindCase(device, run);
    const timing = await timeDispatch(device, run.kernel, run.kernel.bind(bound.buffers as never, run.dims as never));
    bound.destroy();
    const tflops = kase.flops / timing.ms / 1e9;
    const gbps = kase.bytes / timing.ms / 1e6;
    const ofRoofline = Math.max(tflops / ceilings.tflops, gbps / ceilings.gbps);
    const { suite } = values;
    const result = {
      suite,
      case: `${kase.kernel} ${kase.name}`,
      variant: kase.variant,
      dtype: 'f32',
      shape: kase.shape,
      ...timing,
    };
    lines.push(
      JSON.stringify({
        ...result,
        flops: kase.flops,
        bytes: kase.bytes,
        tflops,
        gbps,
        ofRoofline,
        maxRelErr: error,
        adapter,
        commit,
      }),
    );
    const row = [
      timing.ms.toFixed(4).padStart(10),
      tflops.toFixed(3).padStart(8),
      gbps.toFixed(1).padStart(8),
      `${(100 * ofRoofline).toFixed(0)}%`.padStart(5),
    ];
    console.log(`${row.join(' ')}  ${error.toExponential(1)}  ${kase.kernel} ${kase.name}`);
  }
  console.log('        ms  TFLOP/s     GB/s  roof  error    case');
  if (values.json) writeFileSync(values.json, `${lines.join('\n')}\n`);
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
