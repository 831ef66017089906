import { existsSync } from 'node:fs';
import { LatentBatches } from '../data/latent_batches.node.ts';
import { readLatentStats, writeLatentStats } from '../data/latent_stats.node.ts';
import { type OpenedData, openBatches } from '../data/load.node.ts';
import { adapterName } from '../device/index.ts';
import { openNodeDevice } from '../device/node.ts';
import { type RunConfig, stringifyConfig } from '../io/config.ts';
import { RunFolder } from '../io/run-folder.node.ts';
import type { OptimizerOptions } from '../optim/optimizer.ts';
import { Workspace } from '../tensor/index.ts';
import { Trainer } from '../ucgm/trainer.ts';
import { poorTeacher, sight } from './alarms.ts';
import { LATENT_PICTURE_NOTE } from './latent_picture.ts';
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
export async function runTraining(request: TrainingRequest): Promise<void> {
  const { config, resume } = request;
  // The run's own statistics: those of its data may have changed, or not be kept.
  const stats = resume && existsSync(resume.latentStatsPath) ? readLatentStats(resume.latentStatsPath) : undefined;
  const source = await openBatches(config.data, config.train.seed, stats);
  try {
    await trainFrom(source, request);
  } finally {
    await source.close();
  }
}

async function trainFrom(source: OpenedData, { config, out, resume, weights }: TrainingRequest): Promise<void> {
  config.model = resolveModel(config.model, source);
  const network = networkOf(config.model);
  const device = await openNodeDevice();
  const items = source.latents ? 'latents' : 'images';
  console.log(
    `adapter ${adapterName(device)}; data ${source.name}, ${source.size} ${items} of ${source.numClasses} classes`,
  );
  if (source.notice !== undefined) console.warn(source.notice);
  keepData(source, config.data, resume !== undefined);
  const workspace = new Workspace(device);
  const trainer = new Trainer(workspace, network, config.data.batch_size, {
    objective: config.transport,
    optimizer: config.optimizer as OptimizerOptions,
    emaDecay: config.train.ema_decay,
    maxGradNorm: config.train.max_grad_norm,
    seed: config.train.seed,
    checkpointing: config.train.gradient_checkpointing ?? false,
  });
  const size = `${(trainer.weights.flat.count / 1e6).toFixed(2)}M parameters`;
  console.log(`model ${config.model.name}, ${size}; batch ${config.data.batch_size}, ${config.train.steps} steps`);
  const run = resume ?? RunFolder.create(out);
  if (source instanceof LatentBatches) keepScale(source, config, run);
  if (weights) {
    trainer.startFrom(weights);
    await saveCheckpoint(trainer, run, config.train.keep_checkpoints);
  }
  run.writeConfig(stringifyConfig(config)); // from here on the folder is a run, and what it starts from is in it
  const poor = weights && (await poorTeacher(trainer, await sight(source, 0), config));
  if (poor) console.warn(`warning: ${poor}`);
  const interrupted = await trainingLoop({ trainer, source, config, run, resume: resume !== undefined });
  await reportTraining(trainer, run, config, adapterName(device), source.latents);
  trainer.free();
  workspace.dispose();
  device.destroy();
  if (interrupted) process.exitCode = 130;
}

/** Puts into the configuration what the data is, and warns where a resumed run's has changed. */
function keepData({ name, classNames, fingerprint }: OpenedData, data: RunConfig['data'], resumed: boolean): void {
  const warn = (what: string) => console.warn(`warning: ${name}: ${what} changed since the run began`);
  const [names, before] = [data.class_names, data.fingerprint];
  if (resumed && names && classNames && names.join('\n') !== classNames.join('\n'))
    warn(`the classes (${names.join(', ')}, now ${classNames.join(', ')}) have`);
  if (resumed && before !== undefined && fingerprint !== undefined && before !== fingerprint)
    warn(`the images (${before}; now ${fingerprint}) have`);
  if (!resumed || names === undefined) data.class_names = classNames && [...classNames];
  if (!resumed || before === undefined) data.fingerprint = fingerprint;
}

/** Puts into the run's folder how its latents are scaled, so that sampling needs no data. */
function keepScale(source: LatentBatches, config: RunConfig, run: RunFolder): void {
  for (const warning of source.warnings) console.warn(warning);
  config.data.latent_norm ??= true;
  config.data.latent_multiplier = source.latents.multiplier;
  writeLatentStats(run.latentStatsPath, source.stats);
  if (config.train.sample_every > 0) console.log(LATENT_PICTURE_NOTE);
}
