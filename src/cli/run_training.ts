import { existsSync } from 'node:fs';
import { LatentBatches } from '../data/latent_batches.node.ts';
import { readLatentStats, writeLatentStats } from '../data/latent_stats.node.ts';
import { type OpenedData, openBatches } from '../data/load.node.ts';
import { adapterName } from '../device/index.ts';
import { autoencoderKind } from '../models/autoencoders/registry.ts';
import { NonFiniteError } from '../optim/non_finite.ts';
import { partOf } from '../parallel/share.ts';
import { type CommandLine, shellText } from '../run/commands.ts';
import { checkLatents, type PictureDecoder } from '../run/decoder.ts';
import type { RunEvents } from '../run/events.ts';
import { FolderStore } from '../run/folder_store.node.ts';
import { seenPath } from '../run/kept_settings.node.ts';
import { LATENT_PICTURE_NOTE } from '../run/latent_picture.ts';
import { settled } from '../run/prepare.ts';
import { Session, type SessionRequest } from '../run/session.ts';
import type { RunConfig } from '../run/settings.ts';
import type { HostParameters } from '../ucgm/trainer.ts';
import { findAndSay } from './auto_batch.ts';
import { decoderOf } from './autoencoder.ts';
import { shortTraining } from './average_age.ts';
import { packageVersion } from './bundled.ts';
import { UsageError } from './failure.ts';
import { mixedFewStep } from './mixed_advice.ts';
import { openTunedDevice } from './open_device.ts';
import { checkApart, checkFolder } from './output.ts';
import { Progress } from './progress.ts';
import { placeRanks, ranks } from './ranks.ts';
import { StopSignals } from './stop.ts';
import { type RankOptions, takePart, tellOthers } from './training_rank.ts';
import { reportTraining } from './training_report.ts';

export interface TrainingRequest {
  readonly config: RunConfig;
  /** The batch size is what the device holds, not what the settings say. */
  readonly findsBatch?: boolean | undefined;
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

/**
 * Trains as a whole configuration says, new or resumed; sets the exit code of the signal that ended it, if one did. Of several ranks the
 * first does so, and tells the others what they take part in.
 * @param asked what is trained: of several ranks only the first is asked.
 */
export async function runTraining(asked: () => TrainingRequest, opening: RankOptions = {}): Promise<void> {
  if (ranks().rank > 0) return takePart(opening);
  const request = asked();
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
    const part = partOf(config.data.batch_size, 0, ranks().size);
    let source = await openBatches(config.data, config.train.seed, stats, part, ownScale);
    try {
      const decoder = source instanceof LatentBatches ? keepLatents(source, config) : undefined;
      const open = () => openDevice(source, opening);
      let device: GPUDevice | undefined;
      if (request.findsBatch) {
        const whole = settled(config, source); // what does not fit is said before a device is opened
        device = await open();
        config.data.batch_size = await findAndSay(device, whole, source.size);
        source = source.ofSize(config.data.batch_size);
      }
      await trainFrom(source, request, stop, { device, requestDevice: open, decoder });
    } finally {
      await source.close();
    }
  } finally {
    unlock?.();
    stop.close();
  }
  if (stop.exitCode !== undefined) process.exitCode = stop.exitCode;
}

async function trainFrom(
  source: OpenedData,
  request: TrainingRequest,
  stop: StopSignals,
  given: Pick<SessionRequest, 'device' | 'requestDevice' | 'decoder'>,
): Promise<void> {
  const { config, resume, out } = request;
  await tellOthers(config, source);
  const notes = resume ? [] : [shortTraining(config), mixedFewStep(config)];
  let run = resume;
  let unlock: (() => void) | undefined;
  const openStore = () => {
    if (run) return run;
    run = FolderStore.create(out);
    unlock = run.lock(warn);
    return run;
  };
  const command: RunEvents = {
    started: () => stop.wait(), // until now there was nothing to save
    lost: ({ what }, step) => warn(`${what}, after step ${step}: going on with another from the last checkpoint`),
    note: (text) => console.log(text),
    warning: warn,
  };
  const { weights, teacher } = request;
  try {
    const session = await Session.open({
      config,
      source,
      store: openStore,
      ...given,
      resume: resume !== undefined,
      weights,
      teacher,
      events: [command, new Progress()],
      ranks: ranks(),
    });
    const size = `${(session.trainer.weights.flat.count / 1e6).toFixed(2)}M parameters`;
    console.log(
      `model ${session.config.model.name}, ${size}; batch ${config.data.batch_size}, ${config.train.steps} steps`,
    );
    for (const note of notes) if (note) console.log(`note: ${note}`);
    (run as FolderStore).writeCommand(thisCommand());
    await trainIn(run as FolderStore, session, stop, given.decoder);
    await session.close();
    session.device.destroy();
  } finally {
    unlock?.();
  }
}

/** This command, for the run's report. */
function thisCommand(): CommandLine {
  const command = shellText(['ucgm', ...process.argv.slice(2)]);
  return { date: new Date().toISOString(), version: packageVersion(), command };
}

/** Says on which adapter, and on what, is trained. */
async function openDevice(source: OpenedData, { tuned, shareDevice }: RankOptions): Promise<GPUDevice> {
  const device = await openTunedDevice({ tuned, manyKernels: true });
  await placeRanks(device, shareDevice ?? false);
  const items = source.latents ? 'latents' : 'images';
  console.log(
    `adapter ${adapterName(device)}; data ${source.name}, ${source.size} ${items} of ${source.numClasses} classes`,
  );
  if (source.notice !== undefined) console.warn(source.notice);
  return device;
}

async function trainIn(
  run: FolderStore,
  session: Session,
  { signal }: StopSignals,
  decoder: PictureDecoder | undefined,
): Promise<void> {
  const { config, source } = session;
  if (source instanceof LatentBatches) writeLatentStats(run.latentStatsPath, source.stats);
  try {
    await session.train({ signal });
  } catch (error) {
    throw error instanceof NonFiniteError ? divergence(error, session.step, run, config) : error;
  }
  if (signal.aborted) console.log(`stopped at step ${session.step}; the state is saved. Go on with --resume`);
  await reportTraining(session.trainer, run, config, adapterName(session.device), {
    signal,
    ...(source.latents && { latents: { ...source.latents, decoder } }),
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

/** The scaling that belongs to an autoencoder's weights, where there is one: latents are scaled by it unless the settings say how. */
const ownScale = (key: string) => autoencoderKind(key).scale;

/**
 * Puts into the settings how the latents are scaled and which autoencoder they are of, so that sampling needs no data.
 * @returns what makes pictures of them, where that is known.
 */
function keepLatents(source: LatentBatches, { data, train }: RunConfig): PictureDecoder | undefined {
  for (const warning of source.warnings) console.warn(warning);
  data.latent_norm ??= true;
  data.latent_multiplier = source.latents.multiplier;
  const { autoencoder: key, weights } = source.origin;
  if (key !== undefined && data.autoencoder !== undefined && key !== data.autoencoder)
    throw new UsageError(
      `data.autoencoder is ${data.autoencoder}, the latents of ${data.name} are of ${key}`,
      'leave data.autoencoder out, or encode the pictures by it',
    );
  data.autoencoder ??= key;
  if (weights !== undefined) data.autoencoder_weights ??= seenPath(data.name, weights);
  if (data.autoencoder !== undefined) checkLatents(autoencoderKind(data.autoencoder), source.channels);
  const decoder = decoderOf(data);
  if (!decoder && train.sample_every > 0) console.log(LATENT_PICTURE_NOTE);
  return decoder;
}
