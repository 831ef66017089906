import type { DispatchRecord } from '../src/kernel/index.ts';
import type { KernelCase } from '../test/catalogue/case.ts';
import { type BoundCase, bindCase, runCase } from '../test/catalogue/run.ts';
import { type Ceilings, multiplyCeiling } from './ceilings.ts';
import type { Suite } from './suite.ts';
import { type Timing, timeDispatch, warm } from './time.ts';

/** Bytes that copies of a case's buffers come to, so that none is still in a cache when its turn comes again. */
const PAST_THE_CACHE = { gpu: 256 * 2 ** 20, software: 64 * 2 ** 20 };
/** Past the caches from 1 MiB a copy on; what is smaller is bound by its start and end. */
const MOST_COPIES = 256;

/** One case that agreed with its oracle, and its rates. */
export interface KernelResult extends Timing {
  readonly case: string;
  /** The shader that was chosen. */
  readonly kernel: string;
  /** The variant of it that was chosen: the knobs that differ from their defaults. */
  readonly variant: string;
  /** What the case's tensors are stored as. */
  readonly dtype: 'f32' | 'f16';
  readonly shape: readonly number[];
  /** Operations and least bytes of the work. */
  readonly flops: number;
  readonly bytes: number;
  readonly tflops: number;
  readonly gbps: number;
  /** The greater of the shares of the two ceilings: of copying, and of multiplying and adding as the kernel does. */
  readonly ofRoofline: number;
  readonly maxRelErr: number;
}

/** Checks one case against its oracle, then times it. @throws Error where it disagrees. */
export async function measureKernel(
  device: GPUDevice,
  kase: KernelCase,
  ceilings: Ceilings,
  software: boolean,
): Promise<KernelResult> {
  const run = kase.prepare(device);
  const { error } = await runCase(device, kase, run);
  const lengths = [...Object.values(run.inputs).map((data) => data.length), ...Object.values(run.outputs)];
  const size = 4 * lengths.reduce((sum, length) => sum + length, 0);
  const wanted = Math.ceil((software ? PAST_THE_CACHE.software : PAST_THE_CACHE.gpu) / size);
  const copies: BoundCase[] = [];
  const records: DispatchRecord[] = [];
  for (let i = 0; i < Math.max(1, Math.min(MOST_COPIES, wanted)); i++) {
    const bound = bindCase(device, run);
    copies.push(bound);
    records.push(run.kernel.bind(bound.buffers as never, run.dims as never));
  }
  // While the host computed the oracle the clocks went down: matmul 4096^3 then showed 6 TFLOP/s instead of 37.
  if (!software) await warm(device, run.kernel, records);
  const timing = await timeDispatch(device, run.kernel, records);
  for (const bound of copies) bound.destroy();
  const { flops, bytes, shape } = kase;
  const tflops = flops / timing.ms / 1e9;
  const gbps = bytes / timing.ms / 1e6;
  const own = chosen(records[0] as DispatchRecord);
  return {
    case: nameOf(kase),
    ...own,
    dtype: run.halves?.length ? 'f16' : 'f32',
    shape,
    ...timing,
    flops,
    bytes,
    tflops,
    gbps,
    ofRoofline: Math.max(tflops / multiplyCeiling(own.kernel, ceilings), gbps / ceilings.gbps),
    maxRelErr: error,
  };
}

/** The kernel and the variant that a record is of. */
function chosen({ label }: DispatchRecord): { kernel: string; variant: string } {
  const [, kernel = label, variant = 'default'] = /^([^[]+)\[(.*)\]$/.exec(label) ?? [];
  return { kernel, variant };
}

const nameOf = (kase: KernelCase) => `${kase.kernel} ${kase.name}`;

/** Cases of the catalogue as a suite, held against these ceilings. */
export function kernelSuite(
  device: GPUDevice,
  cases: readonly KernelCase[],
  ceilings: Ceilings,
  software: boolean,
): Suite<KernelResult> {
  return {
    ceilings,
    columns: '        ms  TFLOP/s     GB/s  roof    error  case  [kernel, variant]',
    cases: new Map(cases.map((kase) => [nameOf(kase), () => measureKernel(device, kase, ceilings, software)])),
    rows: (result) => [row(result)],
    summary: farthest,
  };
}

/** Shortest time that counts in a summary: below, a dispatch is all start and end. */
const LEAST_MS = 0.02;

/** The cases farthest below their ceiling: of each kernel its largest, since small ones cannot fill a device. */
export function farthest(results: readonly KernelResult[]): string[] {
  const largest = new Map<string, KernelResult>();
  for (const result of results.filter((r) => r.ms >= LEAST_MS)) {
    const kernel = result.case.split(' ')[0] as string;
    const known = largest.get(kernel);
    if (!known || result.bytes > known.bytes) largest.set(kernel, result);
  }
  const ranked = [...largest.values()].sort((a, b) => a.ofRoofline - b.ofRoofline).slice(0, 5);
  if (ranked.length === 0) return [];
  return [
    'slowest against their ceiling, of each kernel the largest case:',
    ...ranked.map((r) => `${(100 * r.ofRoofline).toFixed(1).padStart(6)}%  ${r.case}`),
  ];
}

function row(r: KernelResult): string {
  return [
    r.ms.toFixed(4).padStart(10),
    r.tflops.toFixed(3).padStart(8),
    r.gbps.toFixed(1).padStart(8),
    `${(100 * r.ofRoofline).toFixed(0)}%`.padStart(5),
    r.maxRelErr.toExponential(1).padStart(8),
    ` ${r.case}  [${r.kernel}, ${r.variant}]`,
  ].join(' ');
}
