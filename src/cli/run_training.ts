import { loadDataset } from '../data/load.node.ts';
import { adapterName } from '../device/index.ts';
import { openNodeDevice } from '../device/node.ts';
import { type RunConfig, stringifyConfig } from '../io/config.ts';
import { RunFolder } from '../io/run-folder.node.ts';
import type { OptimizerOptions } from '../optim/optimizer.ts';
import { Workspace } from '../tensor/index.ts';
import { Trainer } from '../ucgm/trainer.ts';
import { networkOf, resolveModel } from './model.ts';
import { saveCheckpoint, trainingLoop } from './training_loop.ts';
import { reportTraining } from './training_report.ts';

export interface TrainingRequest {
  readonly config: RunConfig;
  /** The folder of a new run. */
  readonly out: string;
  /** The run to go on with instead. */
  readonly resume?: RunFolder;
  /** Weights to start from, by parameter; the initialisation if left out. */
  readonly weights?: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
}

/** Trains as a whole configuration says, new or resumed; sets the exit code to 130 when Ctrl-C ended it. */
export async function runTraining({ config, out, resume, weights }: TrainingRequest): Promise<void> {
  const dataset = await loadDataset({
    name: config.data.name,
    ...(config.data.size !== undefined && { size: config.data.size }),
  });
  config.model = resolveModel(config.model, dataset);
  const network = networkOf(config.model);
  const device = await openNodeDevice();
  console.log(
    `adapter ${adapterName(device)}; data ${dataset.name}, ${dataset.size} images of ${dataset.numClasses} classes`,
  );
  const workspace = new Workspace(device);
  const trainer = new Trainer(workspace, network, config.data.batch_size, {
    objective: config.transport,
    optimizer: config.optimizer as OptimizerOptions,
    emaDecay: config.train.ema_decay,
    maxGradNorm: config.train.max_grad_norm,
    seed: config.train.seed,
  });
  const size = `${(trainer.weights.flat.count / 1e6).toFixed(2)}M parameters`;
  console.log(`model ${config.model.name}, ${size}; batch ${config.data.batch_size}, ${config.train.steps} steps`);
  const run = resume ?? RunFolder.create(out);
  run.writeConfig(stringifyConfig(config));
  if (weights) {
    trainer.startFrom(weights);
    await saveCheckpoint(trainer, run, config.train.keep_checkpoints); // else a crash before the first would lose the start
  }
  const interrupted = await trainingLoop({ trainer, dataset, config, run, resume: resume !== undefined });
  await reportTraining(trainer, run, config, adapterName(device));
  trainer.free();
  workspace.dispose();
  device.destroy();
  if (interrupted) process.exitCode = 130;
}
