import type { DispatchRecord, Kernel } from '../src/kernel/index.ts';

/** Median, 10th and 90th percentile of several measurements, milliseconds. */
export interface Timing {
  readonly ms: number;
  readonly p10: number;
  readonly p90: number;
}

/** A kernel, or several that encode one after another as if they were one. */
export type Encodes = Pick<Kernel, 'encode'>;

/** How long is measured, and how often. */
interface Effort {
  /** Long against the 0.1 ms to which timestamps may be rounded. */
  readonly spanMs: number;
  readonly samples: number;
}

const CAREFUL: Effort = { spanMs: 10, samples: 9 };
/** Within some percent of CAREFUL, in a fifth of its time. */
export const QUICK: Effort = { spanMs: 5, samples: 3 };

/**
 * Times one dispatch: spans of many, by GPU timestamps where the device has them, else by the host clock.
 * @param records the dispatch bound to as many copies of its buffers as the caches must not hold; they take turns.
 */
export async function timeDispatch(
  device: GPUDevice,
  kernel: Encodes,
  records: readonly DispatchRecord[],
  effort = CAREFUL,
): Promise<Timing> {
  const once = await span(device, kernel, records, 1);
  const repeats = Math.max(1, Math.min(4096, Math.ceil(effort.spanMs / Math.max(once, 1e-3))));
  const samples = once > 500 ? Math.min(3, effort.samples) : effort.samples;
  const times: number[] = [];
  for (let i = 0; i < samples; i++) times.push((await span(device, kernel, records, repeats)) / repeats);
  busyUntil.set(device, performance.now());
  return timingOf(times);
}

/** Median, 10th and 90th percentile of some times. */
export function timingOf(times: readonly number[]): Timing {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] as number;
  return { ms: at(0.5), p10: at(0.1), p90: at(0.9) };
}

/** How long the clocks of a GPU that did nothing take to come up under load: 345 to 1980 MHz in up to 0.9 s, an H100. */
export const CLOCKS_UP_MS = 1200;
/** How long they stay up when the load ends: 1.5 s there. */
const CLOCKS_STAY_MS = 1000;
const busyUntil = new WeakMap<GPUDevice, number>();

/**
 * Keeps the device busy until its clocks are up: before that, short kernels seem to take up to six times as long. The spans are as long
 * as those to come, since clocks do not rise for a device that waits for the host after every millisecond.
 */
export async function warm(device: GPUDevice, kernel: Encodes, records: readonly DispatchRecord[]): Promise<void> {
  const start = performance.now();
  const isUp = start - (busyUntil.get(device) ?? Number.NEGATIVE_INFINITY) < CLOCKS_STAY_MS;
  const ms = isUp ? 100 : CLOCKS_UP_MS;
  let repeats = 8;
  while (performance.now() - start < ms) {
    const took = await span(device, kernel, records, repeats);
    if (took < CAREFUL.spanMs) repeats = Math.min(4096, 2 * repeats);
  }
}

async function span(
  device: GPUDevice,
  kernel: Encodes,
  records: readonly DispatchRecord[],
  repeats: number,
): Promise<number> {
  const timestamps = device.features.has('timestamp-query');
  const encoder = device.createCommandEncoder();
  const querySet = timestamps ? device.createQuerySet({ type: 'timestamp', count: 2 }) : undefined;
  const pass = encoder.beginComputePass(
    querySet && { timestampWrites: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 } },
  );
  for (let i = 0; i < repeats; i++) kernel.encode(pass, records[i % records.length] as DispatchRecord);
  pass.end();
  if (!querySet) {
    await device.queue.onSubmittedWorkDone();
    const start = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  }
  const resolved = device.createBuffer({ size: 16, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
  const staging = device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const [begin, end] = new BigUint64Array(staging.getMappedRange().slice(0)) as unknown as [bigint, bigint];
  for (const buffer of [resolved, staging]) buffer.destroy();
  querySet.destroy();
  return Number(end - begin) / 1e6;
}
