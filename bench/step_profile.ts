/** `bench --profile`: where a training step spends its time, on the device and on the host. */
import { capsOf } from '../src/kernel/index.ts';
import { type Ceilings, measureCeilings, multiplyCeiling, multiplyRates } from './ceilings.ts';
import { type HostPhases, hostPhases } from './host_phases.ts';
import { hostTime, trainingOf } from './model.ts';
import { effortOn, timeRun } from './passes.ts';
import { type Gap, type KernelTime, Profiler } from './profile.ts';
import { WorkMeter } from './work.ts';

export interface StepProfile {
  readonly case: string;
  /** Milliseconds a step, undisturbed. */
  readonly ms: number;
  readonly kernels: readonly KernelTime[];
  /** Between dispatches that are timed one by one. */
  readonly gaps: readonly Gap[];
  /** Of the host, in all, and in calls of the device. */
  readonly hostMs: number;
  readonly phases: HostPhases;
  readonly ceilings: Ceilings;
}

/** Profiles steps of one case that are alike, on a device with timestamps. */
export async function profileStep(device: GPUDevice, name: string): Promise<StepProfile> {
  const ceilings = await measureCeilings(device, capsOf(device).software);
  const meter = new WorkMeter(device);
  try {
    const { workspace, trainer, batch } = trainingOf(device, name);
    const step = () => trainer.train(batch);
    const { ms } = await timeRun(device, step, effortOn(device));
    let hostMs = 0;
    await device.queue.onSubmittedWorkDone();
    const phases = await hostPhases(device, async () => void (hostMs = await hostTime(trainer, step)));
    await device.queue.onSubmittedWorkDone();
    const profiler = new Profiler(device, meter);
    const kernels = await profiler.measure(step);
    const { gaps } = profiler;
    profiler.dispose();
    await trainer.free();
    await workspace.dispose();
    return { case: name, ms, kernels, gaps, hostMs, phases, ceilings };
  } finally {
    meter.dispose();
  }
}

const MOST_ROWS = 24;
const MOST_GAPS = 3;

/** The greater of the shares of the two ceilings that a kernel reaches. */
const ofCeiling = ({ label, ms, flops, bytes }: KernelTime, ceilings: Ceilings): number =>
  Math.max(flops / ms / 1e9 / multiplyCeiling(label, ceilings), bytes / ms / 1e6 / ceilings.gbps);

const percent = (share: number) => `${(100 * share).toFixed(1)}%`;

/** A profile as lines. */
export function profileLines(profile: StepProfile): string[] {
  const { case: name, ms, kernels, gaps, hostMs, phases, ceilings } = profile;
  const total = kernels.reduce((sum, kernel) => sum + kernel.ms, 0);
  const row = (kernel: KernelTime) =>
    [
      kernel.ms.toFixed(3).padStart(12),
      percent(kernel.ms / total).padStart(7),
      String(kernel.count).padStart(6),
      (kernel.ms > 0 ? percent(ofCeiling(kernel, ceilings)) : '').padStart(8),
      ` ${kernel.label}`,
    ].join(' ');
  const rest = kernels.slice(MOST_ROWS);
  const sum = (of: (kernel: KernelTime) => number, among = rest) => among.reduce((all, kernel) => all + of(kernel), 0);
  const others: KernelTime = {
    ...{ label: `${rest.length} others`, ms: sum((k) => k.ms), count: sum((k) => k.count) },
    ...{ flops: sum((k) => k.flops), bytes: sum((k) => k.bytes) },
  };
  const dispatches = sum((k) => k.count, [...kernels]);
  const between = gaps.map((gap) => Math.max(0, gap.ms)).sort((a, b) => b - a);
  const all = between.reduce((a, b) => a + b, 0);
  const median = between[Math.floor(between.length / 2)] ?? 0;
  const longest = [...gaps].sort((a, b) => b.ms - a.ms).slice(0, MOST_GAPS);
  const { copying, finishing, submitting } = phases;
  const recording = hostMs - copying - finishing - submitting;
  return [
    `${name}: ${ms.toFixed(2)} ms a step; its kernels, each timed by itself, ${total.toFixed(2)} ms in ${dispatches} dispatches`,
    [
      `ceilings of this run: ${ceilings.gbps.toPrecision(3)} GB/s`,
      ...multiplyRates(ceilings).map(([of, rate]) => `${of} ${rate.toPrecision(3)} TFLOP/s`),
    ].join(', '),
    '          ms   share  times  ceiling  kernel',
    ...kernels.slice(0, MOST_ROWS).map(row),
    ...(rest.length > 0 ? [row(others)] : []),
    `between dispatches, timed one by one: ${all.toFixed(3)} ms, median ${(1e3 * median).toFixed(1)} us; the longest`,
    ...longest.map((gap) => `${(1e3 * gap.ms).toFixed(1).padStart(12)} us  ${gap.after} -> ${gap.before}`),
    `host: ${hostMs.toFixed(2)} ms; recording ${recording.toFixed(2)}, copying data ${copying.toFixed(2)}, closing encoders ${finishing.toFixed(2)}, submitting ${submitting.toFixed(2)}`,
  ];
}
