import { existsSync } from 'node:fs';
import { LatentBatches } from '../data/latent_batches.node.ts';
import { readLatentStats, writeLatentStats } from '../data/latent_stats.node.ts';
import { type OpenedData, openBatches } from '../data/load.node.ts';
import { adapterName } from '../device/index.ts';
import { openNodeDevice } from '../device/node.ts';
import { NonFiniteError } from '../optim/non_finite.ts';
import { collapseWatch } from '../run/alarms.ts';
import type { RunEvents } from '../run/events.ts';
import { FolderStore } from '../run/folder_store.node.ts';
import { LATENT_PICTURE_NOTE } from '../run/latent_picture.ts';
import { trainRun } from '../run/loop.ts';
import { resolveModel } from '../run/model.ts';
import { samplePictures } from '../run/pictures.ts';
import { checkBatch, keepData, trainerOf } from '../run/prepare.ts';
import type { RunConfig } from '../run/settings.ts';
import { Workspace } from '../tensor/index.ts';
import type { HostParameters, Trainer } from '../ucgm/trainer.ts';
import { shortTraining } from './average_age.ts';
import { UsageError } from './failure.ts';
import { checkApart, checkFolder } from './output.ts';
import { Progress } from './progress.ts';
import { StopSignals } from './stop.ts';
import { reportTraining } from './training_report.ts';

export interface TrainingRequest {
  readonly config: RunConfig;
  /** The folder of a new run. */
  readonly out: string;
  /** The run to go on with instead. */
  readonly resume?: FolderStore;
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
    FolderStore.checkNew(out);
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
  const device = await openNodeDevice();
  const items = source.latents ? 'latents' : 'images';
  console.log(
    `adapter ${adapterName(device)}; data ${source.name}, ${source.size} ${items} of ${source.numClasses} classes`,
  );
  if (source.notice !== undefined) console.warn(source.notice);
  keepData(source, config.data, resume !== undefined, warn);
  const workspace = new Workspace(device);
  const trainer = trainerOf(workspace, config);
  const size = `${(trainer.weights.flat.count / 1e6).toFixed(2)}M parameters`;
  console.log(`model ${config.model.name}, ${size}; batch ${config.data.batch_size}, ${config.train.steps} steps`);
  const note = resume ? undefined : shortTraining(config);
  if (note) console.log(`note: ${note}`);
  if (request.weights) trainer.startFrom(request.weights, request.teacher);
  const run = resume ?? FolderStore.create(request.out);
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

async function trainIn(run: FolderStore, { trainer, source, request, stop }: Training): Promise<void> {
  const { config, resume, weights, teacher } = request;
  if (source instanceof LatentBatches) keepScale(source, config, run);
  const { signal } = stop;
  const about = { trainer, source, config, store: run, latents: source.latents, signal };
  const from = resume ? 'checkpoint' : !weights ? 'start' : teacher ? 'given with a teacher' : 'given';
  const command: RunEvents = {
    started: () => stop.wait(), // until now there was nothing to save
    note: (text) => console.log(text),
    warning: warn,
  };
  const events = [command, new Progress(), collapseWatch(trainer, source, warn, signal), samplePictures(about)];
  try {
    await trainRun({ ...about, from, events });
  } catch (error) {
    throw error instanceof NonFiniteError ? divergence(error, trainer.step, run, config) : error;
  }
  if (signal.aborted) console.log(`stopped at step ${trainer.step}; the state is saved. Go on with --resume`);
  const { device } = trainer.workspace;
  await reportTraining(trainer, run, config, adapterName(device), {
    signal,
    ...(source.latents && { latents: source.latents }),
  });
}

/** The end of a training that diverged: which step, which tensor, and how to go on. */
function divergence(
  { step, tensor }: NonFiniteError,
  trained: number,
  run: FolderStore,
  config: RunConfig,
): UsageError {
  const sound = run.checkpoints().at(-1);
  const from = sound === undefined ? 'there is no checkpoint yet, begin' : `step ${sound} is saved and sound, go on`;
  const lr = Number((config.optimizer.lr / 10).toPrecision(3));
  return new UsageError(
    `the training diverged: step ${step ?? trained} is not finite${tensor === undefined ? '' : `, first in ${tensor}`} (lr ${config.optimizer.lr})`,
    `${from} with a lower learning rate: ucgm train --resume --out ${run.path} --lr ${lr}`,
  );
}

/** Puts into the run's folder how its latents are scaled, so that sampling needs no data. */
function keepScale(source: LatentBatches, config: RunConfig, run: FolderStore): void {
  for (const warning of source.warnings) console.warn(warning);
  config.data.latent_norm ??= true;
  config.data.latent_multiplier = source.latents.multiplier;
  writeLatentStats(run.latentStatsPath, source.stats);
  if (config.train.sample_every > 0) console.log(LATENT_PICTURE_NOTE);
}
