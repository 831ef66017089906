import type { Dataset } from '../../../src/data/dataset.ts';
import {
  type LoadedModel,
  loadModel,
  type Measured,
  OpfsStore,
  openSession,
  type PartialConfig,
  type RunConfig,
  type Session,
  type TrainRequest,
} from '../../../src/run/index.ts';
import type { SampleLosses } from '../../../src/ucgm/index.ts';
import type { Settings } from '../settings.ts';
import { changesOf, recipeOf, stepsOf } from '../train/recipes.ts';
import { SUBMIT_MS } from './drawables.ts';
import { hold } from './hold.ts';

/** What there is to see of a training, some times a second. */
export interface TrainingUpdate {
  readonly run: string;
  readonly state: 'compiling' | 'training' | 'paused' | 'ended';
  readonly step: number;
  readonly steps: number;
  /** Steps that were measured since the update before. */
  readonly measured: readonly Measured[];
  /** Of the samples of one of them, where they were read. */
  readonly samples?: SampleLosses;
  /** Bytes of buffers on the device, and the most that there were at once. */
  readonly bytes: number;
  readonly peak: number;
  /** Kernels that are compiled, of those that are waited for. */
  readonly compiled?: readonly [done: number, of: number];
  /** Of the newest checkpoint. */
  readonly saved?: number;
}

/** Who hears of a training. */
export interface TrainingListener {
  update(update: TrainingUpdate): void;
  say(text: string): void;
}

/** What is trained. */
export interface TrainingRequest {
  readonly run: string;
  readonly settings: Settings;
  readonly data: Dataset;
  readonly device: GPUDevice;
  readonly requestDevice: () => Promise<GPUDevice>;
  /** Goes on with the run of that name. */
  readonly resume: boolean;
  /** A model to tune to few steps. */
  readonly from?: Pick<LoadedModel, 'config' | 'weights'>;
  /** The bytes of a checkpoint to go on from. */
  readonly checkpoint?: Uint8Array;
  /** Whether the device is a processor: each step is then told by itself. */
  readonly software: boolean;
}

/** Milliseconds between two updates. */
const EVERY_MS = 200;

/** A session in the worker: trains, and tells of it at a pace that a page can follow. */
export class Training {
  readonly run: string;
  readonly session: Session;
  readonly #listener: TrainingListener;
  readonly #release: () => void;
  #measured: Measured[] = [];
  #samples: SampleLosses | undefined;
  #told = 0;
  #compiled: readonly [number, number] | undefined;
  #saved: number | undefined;
  #over = false;

  private constructor(run: string, session: Session, listener: TrainingListener, release: () => void) {
    [this.run, this.session, this.#listener, this.#release] = [run, session, listener, release];
  }

  /** Makes all ready; nothing is trained yet. @throws as openSession; RunError for a run that another tab trains. */
  static async open(request: TrainingRequest, listener: TrainingListener): Promise<Training> {
    const release = await hold(request.run);
    try {
      return await Training.#open(request, listener, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  static async #open(request: TrainingRequest, listener: TrainingListener, release: () => void): Promise<Training> {
    const { run, data, device, requestDevice, checkpoint } = request;
    let training: Training | undefined;
    const session = await openSession({
      device,
      requestDevice,
      data,
      store: await OpfsStore.open(run),
      submitMs: SUBMIT_MS,
      ...howItBegins(request),
      ...(checkpoint && { checkpoint }),
      onStep: (step) => training?.step(step),
      onCheckpoint: (step) => training?.saved(step),
      onCompile: (done, of) => training?.compiling(done, of),
      onLost: (loss, step) => listener.say(`step ${step}: ${loss.message}`),
      onWarning: (text) => listener.say(text),
      onNote: (text) => listener.say(text),
    });
    training = new Training(run, session, listener, release);
    return training;
  }

  get config(): RunConfig {
    return this.session.config;
  }

  /** Trains to the last step, or until it is stopped. @throws as Session.train. */
  async train(): Promise<void> {
    this.#over = false;
    try {
      await this.session.train();
    } finally {
      this.#over = true;
      this.tell();
    }
  }

  /** Ends the training, frees what it has on the device, and lets the run go. */
  async close(): Promise<void> {
    await this.session.close();
    this.#release();
  }

  /** Reads the losses of samples only for what is told: it waits for the device, which has just been waited for. */
  async step(step: Measured): Promise<void> {
    this.#compiled = undefined;
    this.#measured.push(step);
    if (!this.#isTime) return;
    this.#samples = await this.session.trainer.sampleLosses();
    this.tell();
  }

  saved(step: number): void {
    this.#saved = step;
    this.tell();
  }

  compiling(done: number, of: number): void {
    this.#compiled = done < of ? [done, of] : undefined;
    this.#tellInTime();
  }

  /** Tells now. */
  tell(): void {
    const { session } = this;
    const { ledger } = session.trainer.workspace;
    this.#told = performance.now();
    const state = this.#over ? 'ended' : session.state === 'paused' ? 'paused' : 'training';
    this.#listener.update({
      run: this.run,
      state: this.#compiled && state === 'training' ? 'compiling' : state,
      step: session.step,
      steps: session.config.train.steps,
      measured: this.#measured,
      bytes: ledger.total,
      peak: ledger.peak,
      ...(this.#samples && { samples: this.#samples }),
      ...(this.#compiled && { compiled: this.#compiled }),
      ...(this.#saved !== undefined && { saved: this.#saved }),
    });
    this.#measured = [];
    this.#samples = undefined;
  }

  /** The averaged weights as a model on the host, to tune from. */
  async model(): Promise<LoadedModel> {
    return loadModel(await this.session.save());
  }

  #tellInTime(): void {
    if (this.#isTime) this.tell();
  }

  get #isTime(): boolean {
    return performance.now() - this.#told >= EVERY_MS;
  }
}

/** What a session is told of how the training begins: by a recipe, with the run that is kept, or by tuning. */
function howItBegins({ settings, resume, from, software }: TrainingRequest): Partial<TrainRequest> {
  if (resume) return { resume: true };
  const log_every = software ? 1 : 10;
  const { trainSeed: seed, keepEvery: checkpoint_every } = settings;
  if (from) {
    const { trainSteps: steps, batch } = settings;
    const train = {
      log_every,
      sample_every: 0,
      ...(checkpoint_every > 0 && { checkpoint_every }),
      ...(steps > 0 && { steps }),
    };
    const config = { train, ...(batch > 0 && { data: { batch_size: batch } }) } as PartialConfig;
    return { from, preset: 'fewstep', seed, config };
  }
  const changes = changesOf(settings);
  const config = { ...changes, train: { ...changes.train, log_every } } as PartialConfig;
  return { preset: recipeOf(settings).preset, seed, steps: stepsOf(settings), config };
}
