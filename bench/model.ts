import { Tape } from '../src/autograd/tape.ts';
import { LossScale } from '../src/optim/loss_scale.ts';
import { normal, STREAM, uniformU32 } from '../src/rng/philox.ts';
import { count, type PassPrecision, Workspace } from '../src/tensor/index.ts';
import { Trainer } from '../src/ucgm/trainer.ts';
import { modelCase } from './model_cases.ts';
import { effortOn, type KernelShare, stepKernels, timeRun, took } from './passes.ts';
import { type Timing, timingOf } from './time.ts';

/** What a case measured: milliseconds a step, or a pass of an autoencoder, of them the host's; what its kernels take; and the buffers' bytes. */
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
  /** A forward pass alone, of a batch; absent where the case is one. */
  readonly forwardMs?: number;
  /** Sum over the kernels of one step, each timed by itself, and the kernels, slowest first; absent without timestamps. */
  readonly kernelMs?: number;
  readonly kernels?: readonly KernelShare[];
  /** The most bytes of buffers that were live at once: weights, gradients, moments, averages and step tensors. */
  readonly peakBytes: number;
  readonly loss?: number;
}

/** The training of a case, and a batch for its steps; with another batch size or precision than the case's where they are given. */
export function trainingOf(
  device: GPUDevice,
  name: string,
  changes: { readonly batchSize?: number; readonly precision?: PassPrecision } = {},
) {
  const { config, network, numClasses } = modelCase(name);
  const { precision = config.train.precision ?? 'f32', batchSize = config.data.batch_size } = changes;
  const workspace = new Workspace(device);
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
