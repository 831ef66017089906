import { existsSync } from 'node:fs';
import { LatentBatches } from '../data/latent_batches.node.ts';
import { readLatentStats, writeLatentStats } from '../data/latent_stats.node.ts';
import { type OpenedData, openBatches } from '../data/load.node.ts';
import { adapterName } from '../device/index.ts';
import { openNodeDevice } from '../device/node.ts';
import type { RunConfig } from '../io/config.ts';
import { RunFolder } from '../io/run-folder.node.ts';
import type { OptimizerOptions } from '../optim/optimizer.ts';
import { Workspace } from '../tensor/index.ts';
import { type HostParameters, Trainer } from '../ucgm/trainer.ts';
import { poorTeacher, sight } from './alarms.ts';
import { shortTraining } from './average_age.ts';
import { UsageError } from './failure.ts';
import { LATENT_PICTURE_NOTE } from './latent_picture.ts';
import { networkOf, resolveModel } from './model.ts';
import { checkApart, checkFolder } from './output.ts';
import { keptConfig } from './run_config.ts';
import { StopSignals } from './stop.ts';
import { saveCheckpoint, trainingLoop } from './training_loop.ts';
import { reportTraining } from './training_report.ts';

export interface TrainingRequest {
  readonly config: RunConfig;
  /** The folder of a new run. */
  readonly out: string;
  /** The run to go on with instead. */
  readonly resume?: RunFolder;
  /** Weights to start from, by parameter; the initialisation if left out. */
  readonly weights?: HostParameters;
  /** Weights of the frozen teacher; those of the start if left out. */
  readonly teacher?: HostParameters;
}

const warn = (text: string) => console.warn(`warning: ${text}`);

/** Trains as a whole configuration says, new or resumed; sets the exit code of the signal that ended it, if one did. */
export async function runTraining(request: TrainingRequest): Promise<void> {
  const { config, resume, out } = request;
  if (!resume) {
    RunFolder.checkNew(out);
    checkFolder('--out', out);
  }
  checkApart('--out', out, config.data.name);
  const stop = new StopSignals();
  const unlock = resume?.lock(warn);
  try {
    // The run's own statistics: those of its data may have changed, or not be kept.
    const stats = resume && existsSync(resume.latentStatsPath) ? readLatentStats(resume.latentStatsPath) : undefined;
    const source = await openBatches(config.data, config.train.seed, stats);
    try {
      await trainFrom(source, request, stop);
    } finally {
      await source.close();
    }
  } finally {
    unlock?.();
    stop.close();
  }
  if (stop.exitCode !== undefined) process.exitCode = stop.exitCode;
}

async function trainFrom(source: OpenedData, request: TrainingRequest, stop: StopSignals): Promise<void> {
  const { config, resume } = request;
  config.model = resolveModel(config.model, source);
  checkBatch(config, source);
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
  const note = resume ? undefined : shortTraining(config);
  if (note) console.log(`note: ${note}`);
  if (request.weights) trainer.startFrom(request.weights, request.teacher);
  const run = resume ?? RunFolder.create(request.out);
  const unlock = resume ? undefined : run.lock(warn);
  try {
    await trainIn(run, { trainer, source, request, stop });
  } finally {
    unlock?.();
  }
  await trainer.free();
  await workspace.dispose();
  device.destroy();
}

interface Training {
  readonly trainer: Trainer;
  readonly source: OpenedData;
  readonly request: TrainingRequest;
  readonly stop: StopSignals;
}

async function trainIn(run: RunFolder, { trainer, source, request, stop }: Training): Promise<void> {
  const { config, resume, weights, teacher } = request;
  if (source instanceof LatentBatches) keepScale(source, config, run);
  if (weights) await saveCheckpoint(trainer, run, config.train.keep_checkpoints);
  run.writeConfig(keptConfig(config, run.path)); // from here on the folder is a run, and what it starts from is in it
  const poor = weights && (await poorTeacher(trainer, await sight(source, 0), config, teacher !== undefined));
  if (poor) warn(poor);
  await trainingLoop({ trainer, source, config, run, resume: resume !== undefined, stop });
  const { device } = trainer.workspace;
  await reportTraining(trainer, run, config, adapterName(device), {
    signal: stop.signal,
    ...(source.latents && { latents: source.latents }),
  });
}

/** @throws UsageError for a batch that no device holds, before memory for it is asked for. */
function checkBatch({ data }: RunConfig, { channels, height, width }: OpenedData): void {
  const bytes = 4 * data.batch_size * channels * height * width;
  if (bytes >= 2 ** 32)
    throw new UsageError(
      `a batch of ${data.batch_size} x ${channels} x ${height} x ${width} numbers takes ${bytes} bytes, a buffer holds less than ${2 ** 32}`,
      'set data.batch_size (--batch) or data.size lower',
    );
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
