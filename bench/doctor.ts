import type { Caps, Kernel } from '../src/kernel/index.ts';
import { type KernelCase, missingFeatures, type PreparedCase } from '../test/catalogue/case.ts';
import { choosableCases } from '../test/catalogue/choosable.ts';
import { catalogue } from '../test/catalogue/index.ts';
import { runCase } from '../test/catalogue/run.ts';

/** Limits that decide what fits and which variants run. */
export const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const;

/** Bytes a case may move: larger ones are about sizes, not variants, and are left to the tests. */
export const MAX_BYTES = 2e6;

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
export function leftOut(cases: readonly KernelCase[]): KernelCase[] {
  const ran = new Set(cases.map((kase) => kase.kernel));
  return unforced.filter((kase) => ran.has(kase.kernel) && kase.bytes > MAX_BYTES);
}

/** A case that was run against its oracle. */
export interface Finding {
  readonly case: string;
  /** The variant that was chosen; empty for a kernel that has no others. */
  readonly variant: string;
  /** How far it is off, relative; none where it is wrong. */
  readonly error?: number;
  /** What is wrong. */
  readonly wrong?: string;
}

interface Ready {
  readonly kase: KernelCase;
  /** The case on the device, or why it could not be made ready. */
  readonly run: PreparedCase | Error;
}

/** The cases that the device lacks a feature for. */
const lackingOf = (device: GPUDevice, cases: readonly KernelCase[]) =>
  cases.filter((kase) => missingFeatures(kase, device).length > 0);

/** Runs each case that the device has the features for against its oracle. All kernels compile at once, before the first runs. */
export async function* examine(device: GPUDevice, cases: readonly KernelCase[]): AsyncGenerator<Finding> {
  const lacking = lackingOf(device, cases);
  const runnable = cases.filter((kase) => !lacking.includes(kase));
  for (const { kase, run } of distinct(runnable.map((kase) => prepare(device, kase)))) {
    const about = { case: `${kase.kernel} ${kase.name}`, variant: run instanceof Error ? '' : nameOf(run.kernel) };
    try {
      if (run instanceof Error) throw run;
      yield { ...about, error: (await runCase(device, kase, run)).error };
    } catch (error) {
      yield { ...about, wrong: error instanceof Error ? error.message : String(error) };
    }
  }
}

/** Examines and prints a line for each case, then a summary. Returns how many cases are wrong. */
export async function diagnose(device: GPUDevice, cases: readonly KernelCase[]): Promise<number> {
  const variants = new Set<string>();
  const wrong: string[] = [];
  let ran = 0;
  for await (const finding of examine(device, cases)) {
    ran++;
    const variant = variantOf(finding);
    if (finding.wrong === undefined) console.log(`ok    ${finding.error?.toExponential(1)}  ${finding.case}${variant}`);
    else {
      wrong.push(`${finding.wrong}${variant}`);
      console.log(`WRONG          ${wrong.at(-1)}`);
    }
    if (finding.variant !== '') variants.add(finding.variant);
  }
  const names = new Set([...variants].map((variant) => variant.replace(/\[.*/, '')));
  const scope = `${variants.size} variants of ${names.size} kernels, forward and backward, in ${ran} cases`;
  const lacking = lackingOf(device, cases);
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

/** A kernel as its label has it: `matmul[TM=4]`. */
const nameOf = ({ name, variant }: Kernel) => `${name}[${variant}]`;

/** The knobs of a finding's kernel, where it has any. */
function variantOf({ variant }: Finding): string {
  const knobs = /\[(.+)\]$/s.exec(variant)?.[1];
  return knobs ? `  [${knobs}]` : '';
}

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
