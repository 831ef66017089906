import { SingleBar } from 'cli-progress';
import type { BatchSource } from '../data/batches.ts';
import type { RunConfig } from '../io/config.ts';
import { MetricsLog } from '../io/metrics-log.node.ts';
import type { RunFolder } from '../io/run-folder.node.ts';
import { writeSafetensorsAtomic } from '../io/safetensors.node.ts';
import { toFloat32 } from '../io/safetensors.ts';
import { type HostTensor, restoreTrainer, trainerState } from '../ucgm/checkpoint.ts';
import { NonFiniteError } from '../ucgm/non_finite.ts';
import { METRICS_KEPT, type Trainer } from '../ucgm/trainer.ts';
import { collapse, sight } from './alarms.ts';
import { sampleImages, writeSampleGrid } from './grid.ts';
import { isFewStep } from './kind.ts';

export interface TrainingRun {
  readonly trainer: Trainer;
  readonly source: BatchSource;
  readonly config: RunConfig;
  readonly run: RunFolder;
  readonly resume: boolean;
}

/** Trains to the configured step, with log, checkpoints and samples on the way. True when Ctrl-C ended it early (state saved). */
export async function trainingLoop({ trainer, source, config, run, resume }: TrainingRun): Promise<boolean> {
  const { train, data } = config;
  if (resume) restore(trainer, run);
  const log = MetricsLog.open(run.metricsPath, trainer.step);
  const progress = new Progress(train.steps, trainer.step, data.batch_size);
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
  };
  process.once('SIGINT', interrupt);
  // A few-step model can fall to one sample a class: looked for at every checkpoint.
  const seen = isFewStep(config) ? await sight(source, trainer.step) : undefined;
  let saved = -1;
  try {
    while (trainer.step < train.steps && !interrupted) {
      await trainer.train(await source.batch(trainer.step));
      const { step } = trainer;
      const due = step % train.checkpoint_every === 0 || step === train.steps;
      if (step % train.log_every === 0 || step % METRICS_KEPT === 0 || due) {
        for (const metrics of await trainer.metrics()) {
          log.append({ ...metrics, imagesPerSecond: progress.imagesPerSecond(step) });
          progress.show(metrics.step, metrics.loss, metrics.nonFinite);
        }
      }
      if (due) {
        await saveCheckpoint(trainer, run, train.keep_checkpoints);
        saved = step;
        const alarm = seen && (await collapse(trainer, seen, config));
        if (alarm) console.warn(`warning: ${alarm}`);
      }
      if (train.sample_every > 0 && step % train.sample_every === 0) {
        const { workspace, network, average } = trainer;
        const sampled = await sampleImages(workspace, network, average, config, {}, source.latents);
        writeSampleGrid(run.samplePath(step), sampled);
      }
    }
    if (interrupted && saved !== trainer.step) {
      for (const metrics of await trainer.metrics())
        log.append({ ...metrics, imagesPerSecond: progress.imagesPerSecond(trainer.step) });
      await saveCheckpoint(trainer, run, train.keep_checkpoints);
    }
  } catch (error) {
    if (error instanceof NonFiniteError)
      for (const metrics of error.metrics)
        log.append({ ...metrics, imagesPerSecond: progress.imagesPerSecond(metrics.step) });
    throw error;
  } finally {
    process.off('SIGINT', interrupt);
    progress.stop();
    log.close();
  }
  if (interrupted) console.log(`stopped at step ${trainer.step}; the state is saved. Go on with --resume`);
  return interrupted;
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
  restoreTrainer(trainer, { tensors, metadata: latest.metadata });
  console.log(`resumed at step ${trainer.step}`);
}

/** Writes the trainer's whole state as a checkpoint and removes old ones. */
export async function saveCheckpoint(trainer: Trainer, run: RunFolder, keep: number): Promise<void> {
  const { tensors, metadata } = await trainerState(trainer);
  writeSafetensorsAtomic(run.checkpointPath(trainer.step), tensors, metadata);
  run.prune(keep);
}

/** A bar with loss, images/s and time left on a terminal; a line now and then elsewhere. */
class Progress {
  readonly #total: number;
  readonly #first: number;
  readonly #batch: number;
  readonly #start = performance.now();
  readonly #bar: SingleBar | undefined;
  #shown = 0;

  constructor(total: number, first: number, batch: number) {
    this.#total = total;
    this.#first = first;
    this.#batch = batch;
    if (process.stderr.isTTY) {
      this.#bar = new SingleBar({
        format: '{bar} {value}/{total}  loss {loss}  {rate} images/s  {left} left',
        hideCursor: true,
      });
      this.#bar.start(total, first, { loss: '-', rate: '-', left: '-' });
    }
  }

  imagesPerSecond(step: number): number {
    return ((step - this.#first) * this.#batch * 1000) / (performance.now() - this.#start);
  }

  show(step: number, loss: number, nonFinite: number): void {
    const rate = this.imagesPerSecond(step);
    const left = duration(((this.#total - step) * this.#batch) / rate);
    const bad = nonFinite > 0 ? `  ${nonFinite} non-finite gradients` : '';
    if (this.#bar) this.#bar.update(step, { loss: `${loss.toFixed(4)}${bad}`, rate: rate.toFixed(0), left });
    else if (performance.now() - this.#shown > 5000 || step === this.#total || bad) {
      this.#shown = performance.now();
      console.log(
        `step ${step}/${this.#total}  loss ${loss.toFixed(4)}  ${rate.toFixed(0)} images/s  ${left} left${bad}`,
      );
    }
  }

  stop(): void {
    this.#bar?.stop();
  }
}

function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-';
  const whole = Math.max(0, Math.round(seconds));
  return whole < 60 ? `${whole}s` : `${Math.floor(whole / 60)}m ${whole % 60}s`;
}
