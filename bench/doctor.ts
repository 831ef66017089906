import type { Command } from 'commander';
import { adapterName } from '../src/device/index.ts';
import { openNodeDevice } from '../src/device/node.ts';
import { type Caps, capsOf, type Kernel } from '../src/kernel/index.ts';
import { type KernelCase, missingFeatures, type PreparedCase } from '../test/catalogue/case.ts';
import { choosableCases } from '../test/catalogue/choosable.ts';
import { catalogue } from '../test/catalogue/index.ts';
import { runCase } from '../test/catalogue/run.ts';

/** Limits that decide what fits and which variants run. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const;

/** Bytes a case may move: larger ones are about sizes, not variants, and are left to the tests. */
const MAX_BYTES = 2e6;

/** The command `ucgm doctor`. @param casesOf what is run on a device. */
export function addDoctor(ucgm: Command, casesOf: (caps: Caps) => readonly KernelCase[] = doctorCases): void {
  ucgm
    .command('doctor')
    .description(
      'Shows adapter, features and limits, and runs every kernel in every variant that can be chosen here against its oracle.',
    )
    .action(async () => {
      const device = await openNodeDevice();
      describe(device);
      const cases = casesOf(capsOf(device));
      const large = leftOut(cases).length;
      if (large > 0)
        console.log(`left out     ${large} cases of these kernels that move more than ${MAX_BYTES / 1e6} MB`);
      if ((await diagnose(device, cases)) > 0) process.exitCode = 1;
    });
}

/**
 * Every kernel in every variant that can be chosen with these capabilities: the choices' own, and for the kernels that have none, or
 * whose lanes follow from the device, the cases of the catalogue that leave the tiling to them.
 */
export function doctorCases(caps: Caps): KernelCase[] {
  const chosen = choosableCases(caps);
  const covered = new Set(chosen.map((kase) => kase.kernel));
  return [...chosen, ...unforced.filter((kase) => !covered.has(kase.kernel) && kase.bytes <= MAX_BYTES)];
}

/** Cases that leave the tiling to the device. */
const unforced = catalogue.filter((kase) => !kase.benchOnly && !kase.forced);

/** Cases of the kernels that run which are too large. */
function leftOut(cases: readonly KernelCase[]): KernelCase[] {
  const ran = new Set(cases.map((kase) => kase.kernel));
  return unforced.filter((kase) => ran.has(kase.kernel) && kase.bytes > MAX_BYTES);
}

function describe(device: GPUDevice): void {
  const info = device.adapterInfo;
  console.log(`adapter      ${adapterName(device)}`);
  console.log(
    `vendor       ${info.vendor || '-'}   architecture ${info.architecture || '-'}   device ${info.device || '-'}`,
  );
  console.log(`driver       ${info.description || '-'}`);
  console.log(`kind         ${capsOf(device).software ? 'software: correct, slow, good for tests' : 'GPU'}`);
  console.log(`features     ${[...device.features].sort().join(', ') || 'none'}`);
  for (const name of LIMITS) console.log(`limit        ${name} ${device.limits[name]}`);
}

interface Ready {
  readonly kase: KernelCase;
  /** The case on the device, or why it could not be made ready. */
  readonly run: PreparedCase | Error;
}

/**
 * Runs each case against its oracle and prints a line for each, then a summary. All kernels compile at once, before the first
 * runs. Returns how many cases are wrong.
 */
export async function diagnose(device: GPUDevice, cases: readonly KernelCase[]): Promise<number> {
  const kernels = new Set<Kernel>();
  const wrong: string[] = [];
  let ran = 0;
  const runnable = cases.filter((kase) => missingFeatures(kase, device).length === 0);
  for (const { kase, run } of distinct(runnable.map((kase) => prepare(device, kase)))) {
    ran++;
    try {
      if (run instanceof Error) throw run;
      kernels.add(run.kernel);
      const { error } = await runCase(device, kase, run);
      console.log(`ok    ${error.toExponential(1)}  ${kase.kernel} ${kase.name}${variantOf(run)}`);
    } catch (error) {
      wrong.push(`${error instanceof Error ? error.message : error}${run instanceof Error ? '' : variantOf(run)}`);
      console.log(`WRONG          ${wrong.at(-1)}`);
    }
  }
  const names = new Set([...kernels].map((kernel) => kernel.name));
  const scope = `${kernels.size} variants of ${names.size} kernels, forward and backward, in ${ran} cases`;
  const lacking = cases.filter((kase) => !runnable.includes(kase));
  if (lacking.length > 0) {
    const features = [...new Set(lacking.flatMap((kase) => missingFeatures(kase, device)))];
    console.log(
      `left out     ${lacking.length} cases that need ${features.join(', ')}, which the device does not have`,
    );
  }
  if (wrong.length === 0) console.log(`${scope}: all agree with their oracles`);
  else console.log([`${scope}: ${wrong.length} WRONG on this adapter`, ...wrong.map((line) => `  ${line}`)].join('\n'));
  return wrong.length;
}

const variantOf = (run: PreparedCase) => (run.kernel.variant ? `  [${run.kernel.variant}]` : '');

function prepare(device: GPUDevice, kase: KernelCase): Ready {
  try {
    return { kase, run: kase.prepare(device) };
  } catch (error) {
    return { kase, run: error instanceof Error ? error : new Error(String(error)) };
  }
}

/** Of forced tilings that come to the same kernel the first alone: what differs is only what the choice was asked. */
function distinct(all: readonly Ready[]): Ready[] {
  const seen = new Set<Kernel>();
  return all.filter(({ kase, run }) => {
    if (run instanceof Error || !kase.forced) return true;
    if (seen.has(run.kernel)) return false;
    seen.add(run.kernel);
    return true;
  });
}
