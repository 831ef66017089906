import type { BatchSource, DataBatch } from '../data/batches.ts';
import type { RunConfig } from '../io/config.ts';
import { MetricsLog } from '../io/metrics-log.node.ts';
import type { RunFolder } from '../io/run-folder.node.ts';
import { writeSafetensorsAtomic } from '../io/safetensors.node.ts';
import { toFloat32 } from '../io/safetensors.ts';
import { NonFiniteError } from '../optim/non_finite.ts';
import type { StepMetrics } from '../optim/step_metrics.ts';
import { type HostTensor, restoreTrainer, trainerState } from '../ucgm/checkpoint.ts';
import { METRICS_KEPT, type Trainer } from '../ucgm/trainer.ts';
import { collapse, sight } from './alarms.ts';
import { UsageError } from './failure.ts';
import { sampleImages, writeSampleGrid } from './grid.ts';
import { isFewStep } from './kind.ts';
import { Progress } from './progress.ts';
import { checkSound } from './sound.ts';
import type { StopSignals } from './stop.ts';

export interface TrainingRun {
  readonly trainer: Trainer;
  readonly source: BatchSource;
  readonly config: RunConfig;
  readonly run: RunFolder;
  readonly resume: boolean;
  readonly stop: StopSignals;
}

/**
 * Trains to the configured step, or to the end of the step in which a signal came, of training or of sampling; with log,
 * checkpoints and samples on the way. The state at the end is saved.
 * @throws UsageError where a step is not finite: nothing is saved of it, and the last sound checkpoint stays.
 */
export async function trainingLoop({ trainer, source, config, run, resume, stop }: TrainingRun): Promise<void> {
  const { train, data } = config;
  if (resume) restore(trainer, run);
  const log = MetricsLog.open(run.metricsPath, trainer.step);
  const progress = new Progress(train.steps, trainer.step, data.batch_size);
  let [logged, saved] = [trainer.step, -1];
  const record = (measured: readonly StepMetrics[]) => {
    for (const metrics of measured) {
      if (metrics.step <= logged) continue;
      log.append({ ...metrics, imagesPerSecond: progress.imagesPerSecond(metrics.step) });
      progress.show(metrics.step, metrics.loss);
      logged = metrics.step;
    }
  };
  const save = async () => {
    if (saved === trainer.step) return;
    record(await trainer.metrics()); // first: of a step that is not finite nothing is saved
    await saveCheckpoint(trainer, run, train.keep_checkpoints);
    saved = trainer.step;
  };
  const read = async (step: number): Promise<DataBatch> => {
    try {
      return await source.batch(step);
    } catch (error) {
      if (step > 0) await save(); // the data went away: what was trained is not lost with it
      throw error;
    }
  };
  stop.wait();
  try {
    // A few-step model can fall to one sample a class: looked for at every checkpoint.
    const seen = isFewStep(config) ? await sight(source, trainer.step) : undefined;
    while (trainer.step < train.steps && stop.exitCode === undefined) {
      await trainer.train(await read(trainer.step));
      const { step } = trainer;
      if (step % train.log_every === 0 || step % METRICS_KEPT === 0) record(await trainer.metrics());
      if (step % train.checkpoint_every === 0 || step === train.steps) {
        await save();
        if (seen && stop.exitCode === undefined)
          await orWarn(trainer, stop, 'no look for collapse', async () => {
            const alarm = await collapse(trainer, seen, config, stop.signal);
            if (alarm) console.warn(`warning: ${alarm}`);
          });
      }
      if (train.sample_every > 0 && step % train.sample_every === 0 && stop.exitCode === undefined)
        await orWarn(trainer, stop, `no samples of step ${step}`, async () => {
          const { workspace, network, average } = trainer;
          const request = { signal: stop.signal };
          const lease = workspace.lease('sampling'); // the trainer's step tensors stay as they are
          try {
            const sampled = await sampleImages(lease, network, average, config, request, source.latents);
            writeSampleGrid(run.samplePath(step), sampled);
          } finally {
            await lease.dispose();
          }
        });
    }
    if (stop.exitCode !== undefined) await save();
  } catch (error) {
    if (!(error instanceof NonFiniteError)) throw error;
    record(error.metrics);
    throw divergence(error, trainer.step, run, config);
  } finally {
    progress.stop();
    log.close();
  }
  if (stop.exitCode !== undefined)
    console.log(`stopped at step ${trainer.step}; the state is saved. Go on with --resume`);
}

/** What is not training itself may fail with a line: the training goes on. A signal ends it without one. */
async function orWarn(trainer: Trainer, stop: StopSignals, what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (stop.signal.aborted && error === stop.signal.reason) return;
    if (!(error instanceof Error && 'fix' in error)) throw error;
    await trainer.workspace.abandonStep();
    console.warn(`warning: ${what}: ${error.message.split('\n')[0]}`);
  }
}

/** The end of a training that diverged: which step, which tensor, and how to go on. */
function divergence({ step, tensor }: NonFiniteError, trained: number, run: RunFolder, config: RunConfig): UsageError {
  const sound = run.checkpoints().at(-1);
  const from = sound === undefined ? 'there is no checkpoint yet, begin' : `step ${sound} is saved and sound, go on`;
  const lr = Number((config.optimizer.lr / 10).toPrecision(3));
  return new UsageError(
    `the training diverged: step ${step ?? trained} is not finite${tensor === undefined ? '' : `, first in ${tensor}`} (lr ${config.optimizer.lr})`,
    `${from} with a lower learning rate: ucgm train --resume --out ${run.path} --lr ${lr}`,
  );
}

function restore(trainer: Trainer, run: RunFolder): void {
  const latest = run.latestCheckpoint();
  if (!latest) {
    console.log('no checkpoint yet: starting from the first step');
    return;
  }
  for (const warning of latest.warnings) console.warn(warning);
  const tensors = new Map<string, HostTensor>();
  for (const [name, tensor] of latest.tensors) tensors.set(name, { shape: tensor.shape, data: toFloat32(tensor) });
  const before = run.checkpoints().findLast((step) => step < latest.step);
  const then = before === undefined ? 'starts anew' : `goes on from step ${before}`;
  const values = [...tensors].map(([name, { data }]) => [name, data] as const);
  checkSound(latest.path, values, `remove this file: the run then ${then}`);
  restoreTrainer(trainer, { tensors, metadata: latest.metadata });
  console.log(`resumed at step ${trainer.step}`);
}

/** Writes the trainer's whole state as a checkpoint and removes old ones. @throws NonFiniteError, before anything is written. */
export async function saveCheckpoint(trainer: Trainer, run: RunFolder, keep: number): Promise<void> {
  const { tensors, metadata } = await trainerState(trainer);
  writeSafetensorsAtomic(run.checkpointPath(trainer.step), tensors, metadata);
  run.prune(keep);
}
