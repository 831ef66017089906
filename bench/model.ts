import { Tape } from '../src/autograd/tape.ts';
import { capsOf } from '../src/kernel/index.ts';
import { LossScale } from '../src/optim/loss_scale.ts';
import { normal, STREAM, uniformU32 } from '../src/rng/philox.ts';
import { count, type PassPrecision, Workspace } from '../src/tensor/index.ts';
import { Trainer } from '../src/ucgm/trainer.ts';
import { modelCase } from './model_cases.ts';
import { type KernelTime, Profiler } from './profile.ts';
import { CLOCKS_UP_MS, type Timing, timingOf } from './time.ts';

/** What a kernel takes of a step. */
export interface KernelShare extends KernelTime {
  /** Of the sum over all kernels. */
  readonly share: number;
}

/** What a case measured: milliseconds a step, of them the host's; what its kernels take; and the buffers' bytes. */
export interface ModelResult extends Timing {
  readonly case: string;
  /** The network. */
  readonly variant: string;
  /** How its passes compute. */
  readonly dtype: PassPrecision;
  readonly shape: readonly number[];
  /** What the host takes to copy a batch, record and submit a step in a run, its waits for the device left out. */
  readonly hostMs: number;
  /** The first step on a device: all pipelines compiled, buffers made. A cache that the driver keeps on disk may have known them. */
  readonly firstMs: number;
  /** A forward pass alone, of a batch. */
  readonly forwardMs: number;
  /** Sum over the kernels of one step, each timed by itself, and the kernels, slowest first; absent without timestamps. */
  readonly kernelMs?: number;
  readonly kernels?: readonly KernelShare[];
  /** The most bytes of buffers that were live at once: weights, gradients, moments, averages and step tensors. */
  readonly peakBytes: number;
  readonly loss: number;
}

/** How much is spent on a case: milliseconds of training before anything is timed, and spans timed. */
interface Effort {
  readonly warmMs: number;
  readonly spans: number;
}

const EFFORT: { readonly [kind in 'gpu' | 'software']: Effort } = {
  gpu: { warmMs: CLOCKS_UP_MS, spans: 9 },
  software: { warmMs: 0, spans: 3 },
};
const SPAN_MS = 200;
const MOST_STEPS = 20;

/** How much is spent on a device. */
export const effortOn = (device: GPUDevice): Effort => EFFORT[capsOf(device).software ? 'software' : 'gpu'];

/** The training of a case, and a batch for its steps. */
export function trainingOf(device: GPUDevice, name: string) {
  const { config, network, numClasses } = modelCase(name);
  const { precision = 'f32' } = config.train;
  const workspace = new Workspace(device);
  const batchSize = config.data.batch_size;
  const trainer = new Trainer(workspace, network, batchSize, {
    objective: config.transport,
    optimizer: config.optimizer,
    emaDecay: config.train.ema_decay,
    maxGradNorm: config.train.max_grad_norm,
    seed: config.train.seed,
    precision,
  });
  const shape = [batchSize, ...network.input];
  const batch = {
    x: Float32Array.from({ length: count(shape) }, (_, i) => normal(0, STREAM.data, 0, i)),
    labels: Uint32Array.from({ length: batchSize }, (_, i) => uniformU32(0, STREAM.label, 0, i) % numClasses),
  };
  return { workspace, trainer, config, shape, batch };
}

/** Times training steps of one case, the kernels of one, and the forward pass. The device must not have run others: its first step compiles. */
export async function measureModel(device: GPUDevice, name: string): Promise<ModelResult> {
  const effort = effortOn(device);
  const { workspace, trainer, config, shape, batch } = trainingOf(device, name);
  const { precision = 'f32' } = config.train;
  const done = () => device.queue.onSubmittedWorkDone();
  const host: number[] = [];
  const step = async () => void host.push(await hostTime(trainer, () => trainer.train(batch)));
  await done();
  const firstMs = await took(async () => {
    await step();
    await done();
  });
  const timing = await timeRun(device, step, effort);
  const hostMs = timingOf(host.slice(Math.floor(host.length / 2))).ms;
  const peakBytes = workspace.ledger.peak;
  const metrics = await trainer.metrics();
  const kernels = await stepKernels(device, step);
  const { ms: forwardMs } = await timeRun(device, forwardPass(workspace, trainer, shape, precision), effort);
  await trainer.free();
  await workspace.dispose();
  return {
    case: name,
    variant: config.model.name,
    dtype: precision,
    shape,
    ...timing,
    hostMs,
    firstMs,
    forwardMs,
    ...kernels,
    peakBytes,
    loss: metrics[metrics.length - 1]?.loss ?? Number.NaN,
  };
}

/**
 * Milliseconds of a step on the host: until it waits for room on the device, and from its beginning to its submit, but for the wait of
 * mixed precision, which asks there what became of the step before.
 */
export async function hostTime(
  { workspace, learner: { lossScale } }: Trainer,
  train: () => Promise<void>,
): Promise<number> {
  let [begun, waited] = [0, 0];
  if (lossScale)
    Object.defineProperty(lossScale, 'settle', {
      configurable: true,
      value: async () => void (waited += await took(() => LossScale.prototype.settle.call(lossScale))),
    });
  Object.defineProperty(workspace, 'beginStep', {
    configurable: true,
    value: () => {
      begun = performance.now();
      Workspace.prototype.beginStep.call(workspace);
    },
  });
  const start = performance.now();
  const trained = train();
  const asked = performance.now();
  await trained;
  Reflect.deleteProperty(workspace, 'beginStep');
  if (lossScale) Reflect.deleteProperty(lossScale, 'settle');
  return asked - start + performance.now() - begun - waited;
}

/** A pass of the network over a batch of normals at time 0.5, recorded and submitted. */
function forwardPass(
  workspace: Workspace,
  trainer: Trainer,
  shape: readonly number[],
  precision: PassPrecision,
): () => Promise<void> {
  const [batch] = shape as [number];
  const make = (label: string, ...sizes: number[]) => workspace.create('data', label, sizes);
  const [x, t, y, span] = [make('x', ...shape), make('t', batch), make('y', batch), make('span', batch)];
  workspace.stream.write(
    x,
    Float32Array.from({ length: count(shape) }, (_, i) => normal(0, STREAM.data, 1, i)),
  );
  for (const times of [t, span]) workspace.stream.write(times, new Float32Array(batch).fill(0.5));
  return () =>
    workspace.task(async () => {
      workspace.beginStep();
      const tape = new Tape(workspace, { record: false, precision });
      trainer.network.forward(tape, trainer.weights, x, t, y, trainer.network.twoTimes ? span : undefined);
      await workspace.stream.flush();
    });
}

/** Milliseconds of some work. */
async function took(work: () => Promise<unknown>): Promise<number> {
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

async function stepKernels(
  device: GPUDevice,
  step: () => Promise<void>,
): Promise<Pick<ModelResult, 'kernelMs' | 'kernels'>> {
  if (!device.features.has('timestamp-query')) return {};
  const profiler = new Profiler(device);
  const times = await profiler.measure(step);
  profiler.dispose();
  const kernelMs = times.reduce((sum, { ms }) => sum + ms, 0);
  return { kernelMs, kernels: times.map((time) => ({ ...time, share: time.ms / kernelMs })) };
}
