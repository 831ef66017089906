import { capsOf } from '../src/kernel/index.ts';
import { type KernelTime, Profiler } from './profile.ts';
import { CLOCKS_UP_MS, type Timing, timingOf } from './time.ts';

/** What a kernel takes of a pass. */
export interface KernelShare extends KernelTime {
  /** Of the sum over all kernels. */
  readonly share: number;
}

/** How much is spent on a case: milliseconds of work before anything is timed, and spans timed. */
export interface Effort {
  readonly warmMs: number;
  readonly spans: number;
}

const EFFORT: { readonly [kind in 'gpu' | 'software']: Effort } = {
  gpu: { warmMs: CLOCKS_UP_MS, spans: 9 },
  software: { warmMs: 0, spans: 3 },
};
const SPAN_MS = 200;
const MOST_STEPS = 20;

/** What a device is worth. */
export const effortOn = (device: GPUDevice): Effort => EFFORT[capsOf(device).software ? 'software' : 'gpu'];

/** Milliseconds of some work. */
export async function took(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Times work, warm, of which one run is recorded while others are on the device, in spans that follow one another without a gap. */
export async function timeRun(
  device: GPUDevice,
  work: () => Promise<void>,
  { warmMs, spans }: Effort,
): Promise<Timing> {
  const start = performance.now();
  let once = 0;
  do {
    once = await took(async () => {
      await work();
      await device.queue.onSubmittedWorkDone();
    });
  } while (performance.now() - start < warmMs);
  const each = Math.max(1, Math.min(MOST_STEPS, Math.ceil(SPAN_MS / once)));
  const ends: Promise<number>[] = [];
  for (let run = 0; run <= spans * each; run++) {
    await work();
    if (run % each !== 0) continue;
    ends.push(device.queue.onSubmittedWorkDone().then(() => performance.now()));
    await ends[ends.length - 2]; // a span on the device while the next is recorded
  }
  const times = await Promise.all(ends);
  return timingOf(times.slice(1).map((end, i) => (end - (times[i] as number)) / each));
}

/** The kernels of a pass, each timed by itself; nothing without timestamps. */
export async function stepKernels(
  device: GPUDevice,
  step: () => Promise<void>,
): Promise<{ kernelMs?: number; kernels?: readonly KernelShare[] }> {
  if (!device.features.has('timestamp-query')) return {};
  const profiler = new Profiler(device);
  const times = await profiler.measure(step);
  profiler.dispose();
  const kernelMs = times.reduce((sum, { ms }) => sum + ms, 0);
  return { kernelMs, kernels: times.map((time) => ({ ...time, share: time.ms / kernelMs })) };
}
