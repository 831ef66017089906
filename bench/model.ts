import { normal, STREAM, uniformU32 } from '../src/rng/philox.ts';
import { networkOf, resolveModel } from '../src/run/model.ts';
import { presetNamed } from '../src/run/presets.ts';
import { mergeConfig, type PartialConfig } from '../src/run/settings.ts';
import { count, Workspace } from '../src/tensor/index.ts';
import { Trainer } from '../src/ucgm/trainer.ts';
import { type KernelTime, Profiler } from './profile.ts';

/** A training step to measure: a preset, what differs from it, and the data's shape. */
interface ModelCase {
  readonly preset: string;
  readonly changes: PartialConfig;
  /** Channels, size and classes of the data. */
  readonly data: readonly [channels: number, size: number, classes: number];
  /** Too large for a software adapter. */
  readonly gpuOnly: boolean;
}

const MNIST = { model: { name: 'mnist' }, data: { batch_size: 256 } };
/** One forward and backward pass a step, as PyTorch's times of these models are: an enhanced target takes a second forward pass. */
const PLAIN = { enhanced_ratio: 0 };
const SMALL = {
  transport: PLAIN,
  model: { name: 'tiny', hidden_size: 128, depth: 6, num_heads: 4 },
  data: { batch_size: 128 },
};

/** A model of the reference on latents, in its multi-step setting without the enhanced target. */
const latents = (name: string, channels: number, size: number, batch_size: number): ModelCase => ({
  preset: 'multistep',
  changes: { transport: PLAIN, model: { name }, data: { batch_size } } as PartialConfig,
  data: [channels, size, 1000],
  gpuOnly: true,
});

const digits = (preset: string, changes: object, size: number, gpuOnly: boolean): ModelCase => ({
  preset,
  changes: changes as PartialConfig,
  data: [1, size, 10],
  gpuOnly,
});

const CASES: { readonly [name: string]: ModelCase } = {
  'step tiny preset': digits('tiny', {}, 28, false),
  'step 28x28 w128 d6 b128': digits('multistep', SMALL, 28, true),
  'step MNIST setting': digits('mnist', {}, 32, true),
  'step MNIST few-step': digits('fewstep', MNIST, 32, true),
  'step MNIST any-step': digits('anystep', MNIST, 32, true),
  'step TiT-S/2 b64': latents('TiT-S/2', 4, 32, 64),
  'step TiT-B/2 b32': latents('TiT-B/2', 4, 32, 32),
  'step TiT-XL/1 b16': latents('TiT-XL/1', 32, 16, 16),
};

/** What a kernel takes of a step. */
export interface KernelShare extends KernelTime {
  /** Of the sum over all kernels. */
  readonly share: number;
}

/** What a case measured: milliseconds a step, of them the host's; what its kernels take; and the buffers' bytes. */
export interface ModelResult {
  readonly case: string;
  readonly shape: readonly number[];
  readonly ms: number;
  readonly hostMs: number;
  readonly firstMs: number;
  /** Sum over the kernels of one step, each timed by itself, and the kernels, slowest first; absent without timestamps. */
  readonly kernelMs?: number;
  readonly kernels?: readonly KernelShare[];
  readonly gpuBytes: number;
  readonly loss: number;
}

/** Names of the cases that a filter takes. */
export function modelCases(filter: RegExp, software: boolean): string[] {
  return Object.keys(CASES).filter((name) => filter.test(name) && !(software && CASES[name]?.gpuOnly));
}

/** Times training steps of one case, and the kernels of one. @param warmMs how long to train before it is timed. */
export async function measureModel(
  device: GPUDevice,
  name: string,
  steps: number,
  warmMs: number,
): Promise<ModelResult> {
  const { preset, changes, data } = CASES[name] as ModelCase;
  const [channels, size, numClasses] = data;
  const config = mergeConfig(name, presetNamed(preset), changes);
  const network = networkOf(resolveModel(config.model, { channels, height: size, width: size, numClasses }));
  const workspace = new Workspace(device);
  const batchSize = config.data.batch_size;
  const trainer = new Trainer(workspace, network, batchSize, {
    objective: config.transport,
    optimizer: config.optimizer,
    emaDecay: config.train.ema_decay,
    maxGradNorm: config.train.max_grad_norm,
    seed: config.train.seed,
  });
  const pixels = batchSize * count(network.input);
  const batch = {
    x: Float32Array.from({ length: pixels }, (_, i) => normal(0, STREAM.data, 0, i)),
    labels: Uint32Array.from({ length: batchSize }, (_, i) => uniformU32(0, STREAM.label, 0, i) % numClasses),
  };
  const done = () => device.queue.onSubmittedWorkDone();
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };
  const firstMs = await timed(async () => {
    await trainer.train(batch);
    await done();
  });
  const start = performance.now();
  do {
    await trainer.train(batch);
    await done();
  } while (performance.now() - start < warmMs);
  let hostMs = 0;
  const ms = await timed(async () => {
    const ahead: Promise<unknown>[] = [];
    for (let i = 0; i < steps; i++) {
      hostMs += await timed(() => trainer.train(batch));
      ahead.push(done());
      if (ahead.length > 3) await ahead.shift();
    }
    await Promise.all(ahead);
  });
  const metrics = await trainer.metrics();
  const kernels = await stepKernels(device, () => trainer.train(batch));
  const gpuBytes = workspace.ledger.total;
  await trainer.free();
  await workspace.dispose();
  return {
    case: name,
    shape: [batchSize, ...network.input],
    ms: ms / steps,
    hostMs: hostMs / steps,
    firstMs,
    ...kernels,
    gpuBytes,
    loss: metrics[metrics.length - 1]?.loss ?? Number.NaN,
  };
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

const MOST_ROWS = 24;

/** A result as lines: the step, then its kernels by time, with what the rest comes to. */
export function modelRows({
  case: name,
  ms,
  hostMs,
  firstMs,
  gpuBytes,
  kernelMs,
  kernels = [],
}: ModelResult): string[] {
  const rest = kernels.slice(MOST_ROWS);
  const row = ({ label, ms, count, share }: KernelShare) =>
    `${ms.toFixed(3).padStart(12)} ${`${(100 * share).toFixed(1)}%`.padStart(6)} ${String(count).padStart(6)}  ${label}`;
  const sum = (of: (k: KernelShare) => number) => rest.reduce((total, k) => total + of(k), 0);
  const others = {
    label: `${rest.length} others`,
    ms: sum((k) => k.ms),
    count: sum((k) => k.count),
    share: sum((k) => k.share),
  };
  return [
    `${name}: ${ms.toFixed(2)} ms a step (host ${hostMs.toFixed(2)}), first ${firstMs.toFixed(0)} ms, ${(gpuBytes / 1e6).toFixed(0)} MB of buffers`,
    ...(kernelMs === undefined
      ? []
      : [
          '          ms  share  times  kernel',
          ...kernels.slice(0, MOST_ROWS).map(row),
          ...(rest.length > 0 ? [row(others)] : []),
          `${kernelMs.toFixed(3).padStart(12)}   100% ${String(kernels.reduce((n, k) => n + k.count, 0)).padStart(6)}  all, each timed by itself`,
        ]),
  ];
}
