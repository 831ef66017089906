import { networkOf, resolveModel } from '../src/cli/model.ts';
import { nextBatch } from '../src/data/batches.ts';
import { shapesDataset } from '../src/data/shapes.ts';
import { mergeConfig, type PartialConfig } from '../src/io/config.ts';
import { presetNamed } from '../src/io/presets.ts';
import { Workspace } from '../src/tensor/index.ts';
import { Trainer } from '../src/ucgm/trainer.ts';
import { Profiler } from './profile.ts';

/** A training step to measure: a preset, what differs from it, and the images' size. */
interface ModelCase {
  readonly preset: string;
  readonly changes: PartialConfig;
  readonly size: number;
  /** Too large for a software adapter. */
  readonly gpuOnly: boolean;
}

const MNIST: PartialConfig = { model: { name: 'mnist' }, data: { batch_size: 256 } };

const CASES: { readonly [name: string]: ModelCase } = {
  'step tiny preset': { preset: 'tiny', changes: {}, size: 28, gpuOnly: false },
  'step MNIST setting': { preset: 'mnist', changes: {}, size: 32, gpuOnly: true },
  'step MNIST few-step': { preset: 'fewstep', changes: MNIST, size: 32, gpuOnly: true },
  'step MNIST any-step': { preset: 'anystep', changes: MNIST, size: 32, gpuOnly: true },
};

/** What a case measured: milliseconds a step, of them the host's, and buffers' bytes. */
export interface ModelResult {
  readonly case: string;
  readonly shape: readonly number[];
  readonly ms: number;
  readonly hostMs: number;
  readonly firstMs: number;
  readonly gpuBytes: number;
  readonly loss: number;
}

/** Names of the cases that a filter takes. */
export function modelCases(filter: RegExp, software: boolean): string[] {
  return Object.keys(CASES).filter((name) => filter.test(name) && !(software && CASES[name]?.gpuOnly));
}

/** Times training steps of one case, then prints which kernels one step spends its time in. */
export async function measureModel(device: GPUDevice, name: string, steps: number): Promise<ModelResult> {
  const { preset, changes, size } = CASES[name] as ModelCase;
  const dataset = shapesDataset({ count: 1024, size });
  const config = mergeConfig(name, presetNamed(preset), changes);
  const network = networkOf(resolveModel(config.model, dataset));
  const workspace = new Workspace(device);
  const batchSize = config.data.batch_size;
  const trainer = new Trainer(workspace, network, batchSize, {
    objective: config.transport,
    optimizer: config.optimizer,
    emaDecay: config.train.ema_decay,
    maxGradNorm: config.train.max_grad_norm,
    seed: config.train.seed,
  });
  const batch = nextBatch(dataset, 0, 0, batchSize);
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
  for (let i = 0; i < 3; i++) await trainer.train(batch);
  await done();
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
  if (device.features.has('timestamp-query')) {
    const profiler = new Profiler(device);
    const kernels = await profiler.measure(() => trainer.train(batch));
    profiler.dispose();
    for (const { label, ms, count } of kernels.slice(0, 24)) {
      console.log(`${ms.toFixed(3).padStart(10)} ms ${String(count).padStart(4)} x ${label}`);
    }
  }
  const gpuBytes = workspace.ledger.total;
  await trainer.free();
  await workspace.dispose();
  const loss = metrics[metrics.length - 1]?.loss ?? Number.NaN;
  return {
    case: name,
    shape: [batchSize, ...network.input],
    ms: ms / steps,
    hostMs: hostMs / steps,
    firstMs,
    gpuBytes,
    loss,
  };
}
