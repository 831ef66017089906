import type { BatchSource, DataBatch } from '../data/batches.ts';
import { DeviceLostError } from '../device/index.ts';
import { FixableError } from '../kernel/index.ts';
import { NonFiniteError } from '../optim/non_finite.ts';
import type { StepMetrics } from '../optim/step_metrics.ts';
import { anyOf } from '../parallel/agree.ts';
import { ALONE, type Communicator } from '../parallel/communicator.ts';
import { sharesOf } from '../parallel/share.ts';
import { METRICS_KEPT, type Trainer } from '../ucgm/trainer.ts';
import { poorTeacher, sight } from './alarms.ts';
import { saveCheckpoint } from './checkpoint.ts';
import { type RunEvents, Subscribers } from './events.ts';
import type { Gate } from './gate.ts';
import { meanMetrics } from './mean_metrics.ts';
import type { RunConfig } from './settings.ts';
import { Stopwatch } from './stopwatch.ts';
import type { Awaitable, RunStore } from './store.ts';

/** A training run: a trainer, what it is fed, and where it is kept. */
export interface TrainingRun {
  readonly trainer: Trainer;
  readonly source: BatchSource;
  readonly config: RunConfig;
  readonly store: RunStore;
  /**
   * What the trainer holds: the start, or what it went on from; or weights that were given, which are saved first, and looked at as a
   * teacher's: the start, or one with weights of its own.
   */
  readonly from: 'start' | 'given' | 'given with a teacher';
  /** Ends it after the step, of training or of sampling, in which it is aborted. */
  readonly signal?: AbortSignal;
  /** Holds it back between two steps while it is closed. */
  readonly gate?: Gate;
  readonly events?: readonly RunEvents[];
  /** The ranks that train together, of which the first alone writes; a signal to one ends them all after the same step. */
  readonly ranks?: Communicator | undefined;
}

/**
 * Trains to the configured step, or to the end of the step in which the signal came; with settings, log and checkpoints in the
 * store on the way. The state at the end is saved.
 * @throws NonFiniteError where a step is not finite: nothing is saved of it, and the last sound checkpoint stays; DataError and
 * IoError where data or store fail: what was trained is saved, if it can be; DeviceLostError when the device is lost: the last checkpoint stays.
 */
export async function trainRun(run: TrainingRun): Promise<void> {
  const { trainer, source, config, store, from, events = [] } = run;
  const subscribers = new Subscribers(events);
  const writes = (run.ranks ?? ALONE).rank === 0;
  const given = writes && (from === 'given' || from === 'given with a teacher');
  if (given) await saveCheckpoint(trainer, store, config.train.keep_checkpoints);
  await store.writeSettings(config); // from here on there is a run, and what it starts from is in it
  const poor = given && (await poorTeacher(trainer, await sight(source, 0), config, from !== 'given'));
  if (poor) subscribers.warn(poor);
  await takeSteps(run, subscribers);
}

async function takeSteps(run: TrainingRun, subscribers: Subscribers): Promise<void> {
  const { trainer, source, config, store, signal, gate, ranks = ALONE } = run;
  const { train, data } = config;
  const stopped = () => signal?.aborted === true;
  const log = await store.metricsAfter(trainer.step);
  const first = trainer.step;
  const clock = new Stopwatch();
  let [logged, saved] = [first, -1];
  const together = train.local_steps !== undefined && ranks.size > 1;
  /** Of local steps the mean over all ranks, which come to this after the same step. */
  const metrics = () => {
    const own = () => trainer.metrics();
    return together ? meanMetrics(own, ranks, sharesOf(data.batch_size, ranks.size)) : own();
  };
  const record = async (all: readonly StepMetrics[]) => {
    const measured = all.filter(({ step }) => step > logged);
    if (measured.length === 0) return;
    const imagesPerSecond = (measured.length * data.batch_size * 1000) / clock.lap();
    for (const metrics of measured) {
      await log.append({ ...metrics, imagesPerSecond });
      await subscribers.tell((to) => to.measured?.({ ...metrics, imagesPerSecond }));
      logged = metrics.step;
    }
  };
  const save = async () => {
    if (saved === trainer.step) return;
    await record(await metrics()); // first: of a step that is not finite nothing is saved
    if (train.local_steps !== undefined) await trainer.endRound();
    if (ranks.rank === 0) await clock.without(() => saveCheckpoint(trainer, store, train.keep_checkpoints));
    saved = trainer.step;
  };
  const read = async (step: number): Promise<DataBatch> => {
    try {
      return await source.batch(step);
    } catch (error) {
      if (step > 0 && !together) await save(); // the data went away: what was trained is not lost with it
      throw error;
    }
  };
  /** What is not training itself may fail with a line: the training goes on. A signal ends it without one. */
  const beside = async (event: (to: RunEvents) => Awaitable<void> | undefined) => {
    for (const subscriber of subscribers) {
      if (stopped()) return;
      try {
        await event(subscriber);
      } catch (error) {
        if (stopped() && error === signal?.reason) return;
        if (!(error instanceof FixableError) || error instanceof DeviceLostError) throw error;
        await trainer.workspace.abandonStep();
        const what = `no ${subscriber.purpose ?? 'answer to an event'} at step ${trainer.step}`;
        subscribers.warn(`${what}: ${error.message.split('\n')[0]}`);
      }
    }
  };
  try {
    await subscribers.tell((to) => to.started?.(first, config));
    let ended = await anyOf(ranks, stopped());
    while (trainer.step < train.steps && !ended) {
      await trainer.train(await read(trainer.step));
      const { step } = trainer;
      if (step % train.log_every === 0 || step % METRICS_KEPT === 0) await record(await metrics());
      if (step % train.checkpoint_every === 0 || step === train.steps) {
        await save();
        await clock.without(() => beside((to) => to.saved?.(step)));
      }
      await clock.without(() => beside((to) => to.stepped?.(step)));
      if (gate?.closed) await clock.without(() => gate.through(signal));
      ended = await anyOf(ranks, stopped());
    }
    if (ended) await save();
  } catch (error) {
    if (error instanceof NonFiniteError) await record(error.metrics);
    throw error;
  } finally {
    await subscribers.tell((to) => to.ended?.());
    await log.close();
  }
}
