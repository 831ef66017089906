import type { DispatchRecord } from '../src/kernel/index.ts';
import type { KernelCase } from '../test/catalogue/case.ts';
import { type BoundCase, bindCase, runCase } from '../test/catalogue/run.ts';
import type { Ceilings } from './ceilings.ts';
import { type Timing, timeDispatch, warm } from './time.ts';

const WARM_MS = 300;
/** Bytes that copies of a case's buffers come to, so that none is still in a cache when its turn comes again. */
const PAST_THE_CACHE = { gpu: 256 * 2 ** 20, software: 64 * 2 ** 20 };
const MOST_COPIES = 64;

/** One case that agreed with its oracle, and its rates. */
export interface KernelResult extends Timing {
  readonly case: string;
  readonly variant: string;
  /** The kernel as it was compiled: its shader and the knobs that differ from the defaults. */
  readonly kernel: string;
  readonly dtype: 'f32';
  readonly shape: readonly number[];
  /** Operations and least bytes of the work. */
  readonly flops: number;
  readonly bytes: number;
  readonly tflops: number;
  readonly gbps: number;
  /** The greater of the shares of the two ceilings. */
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
  const own = [...Object.values(run.inputs).map((data) => data.length), ...Object.values(run.outputs)];
  const size = 4 * own.reduce((sum, length) => sum + length, 0);
  const wanted = Math.ceil((software ? PAST_THE_CACHE.software : PAST_THE_CACHE.gpu) / size);
  const copies: BoundCase[] = [];
  const records: DispatchRecord[] = [];
  for (let i = 0; i < Math.max(1, Math.min(MOST_COPIES, wanted)); i++) {
    const bound = bindCase(device, run);
    copies.push(bound);
    records.push(run.kernel.bind(bound.buffers as never, run.dims as never));
  }
  // While the host computed the oracle the clocks went down: matmul 4096^3 then showed 6 TFLOP/s instead of 37.
  if (!software) await warm(device, run.kernel, records, WARM_MS);
  const timing = await timeDispatch(device, run.kernel, records);
  for (const bound of copies) bound.destroy();
  const { flops, bytes, variant, shape } = kase;
  const tflops = flops / timing.ms / 1e9;
  const gbps = bytes / timing.ms / 1e6;
  return {
    case: `${kase.kernel} ${kase.name}`,
    variant,
    kernel: (records[0] as DispatchRecord).label,
    dtype: 'f32',
    shape,
    ...timing,
    flops,
    bytes,
    tflops,
    gbps,
    ofRoofline: Math.max(tflops / ceilings.tflops, gbps / ceilings.gbps),
    maxRelErr: error,
  };
}

/** Names of the columns of `kernelRow`. */
export const KERNEL_COLUMNS = '        ms  TFLOP/s     GB/s  roof    error  case  [kernel]';

/** A result as a line of the table. */
export function kernelRow(r: KernelResult): string {
  return [
    r.ms.toFixed(4).padStart(10),
    r.tflops.toFixed(3).padStart(8),
    r.gbps.toFixed(1).padStart(8),
    `${(100 * r.ofRoofline).toFixed(0)}%`.padStart(5),
    r.maxRelErr.toExponential(1).padStart(8),
    ` ${r.case}  [${r.kernel}]`,
  ].join(' ');
}
