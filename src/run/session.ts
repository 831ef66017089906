import type { BatchSource } from '../data/batches.ts';
import { DeviceLostError } from '../device/index.ts';
import type { VelocityNetwork } from '../nn/network.ts';
import { precisionNotice } from '../nn/precision_notice.ts';
import type { Communicator } from '../parallel/communicator.ts';
import { checkNetworkPrecision, Workspace } from '../tensor/index.ts';
import { restoreTrainer } from '../ucgm/checkpoint.ts';
import { shareState } from '../ucgm/share_state.ts';
import type { HostParameters, Trainer } from '../ucgm/trainer.ts';
import { collapseWatch } from './alarms.ts';
import { checkpointBytes, joined, resumeTrainer, saveCheckpoint, stateOf } from './checkpoint.ts';
import type { PictureDecoder, PicturedLatents } from './decoder.ts';
import { RunError } from './errors.ts';
import { type RunEvents, Subscribers } from './events.ts';
import { Gate } from './gate.ts';
import { type TrainingRun, trainRun } from './loop.ts';
import { networkOf } from './model.ts';
import { encodeModel, type ModelDtype } from './model_file.ts';
import { samplePictures } from './pictures.ts';
import { checkBatch, keepData, localStepsOf, settled, trainerOf } from './prepare.ts';
import { type DrawnImages, type ImageRequest, sampleImages, withSampling } from './samples.ts';
import { tested } from './self_test.ts';
import type { RunConfig } from './settings.ts';
import type { Awaitable, RunStore } from './store.ts';

/** Losses of the device without a step between them, after which a training gives up. */
const MOST_LOSSES = 3;

/** What a session is made of. */
export interface SessionRequest {
  /** All settings; the model's sizes are filled in from the data. */
  readonly config: RunConfig;
  readonly source: BatchSource;
  /** Where the run is kept; a function is called when all else is ready. */
  readonly store: RunStore | (() => Awaitable<RunStore>);
  /** The first device; asked for by `requestDevice` if left out. */
  readonly device?: GPUDevice | undefined;
  /** Gives a device, and another one after the loss of one; without it a loss ends the training. */
  readonly requestDevice?: (() => Promise<GPUDevice>) | undefined;
  /** Goes on from the newest checkpoint of the store. */
  readonly resume?: boolean | undefined;
  /** The bytes of a checkpoint to go on from, which the store keeps first. */
  readonly checkpoint?: Uint8Array | undefined;
  /** Weights to start from, by parameter; the initialisation if left out. */
  readonly weights?: HostParameters | undefined;
  /** Weights of a frozen teacher; those of the start if left out. */
  readonly teacher?: HostParameters | undefined;
  /** Milliseconds that one submit may take the device, about; as they come if left out, which is fastest. */
  readonly submitMs?: number | undefined;
  /** Of latents: what makes pictures of samples. */
  readonly decoder?: PictureDecoder | undefined;
  readonly events?: readonly RunEvents[] | undefined;
  /**
   * The ranks that train together, each with such a session: this one's source is its part of every batch. What rank 0 restored, or was
   * given to start from, all begin with; it alone writes. A lost device ends the training.
   */
  readonly ranks?: Communicator | undefined;
}

/** How far, and until when, a session trains. */
export interface TrainControl {
  /** Steps in all, those before with them; those of the settings if left out. */
  readonly steps?: number;
  /** Ends it after the step in which it is aborted; the state is saved. */
  readonly signal?: AbortSignal;
}

/** What lives on one device. */
interface OnDevice {
  readonly device: GPUDevice;
  readonly workspace: Workspace;
  readonly trainer: Trainer;
}

/**
 * A training run, wherever it happens: it trains, pauses, draws beside, saves, and goes on with a new device when one is lost. The
 * devices that it is given or asks for stay their owner's, but for those that are lost.
 */
export class Session {
  readonly config: RunConfig;
  readonly source: BatchSource;
  readonly store: RunStore;
  readonly #request: SessionRequest;
  readonly #subscribers: Subscribers;
  readonly #gate = new Gate();
  #now: OnDevice;
  #from: TrainingRun['from'];
  #training: { readonly controller: AbortController } | undefined;
  #recovering: Promise<void> | undefined;
  #closed = false;

  private constructor(config: RunConfig, store: RunStore, request: SessionRequest, now: OnDevice) {
    [this.config, this.source, this.store, this.#request, this.#now] = [config, request.source, store, request, now];
    this.#subscribers = new Subscribers(request.events ?? []);
    const { weights, teacher } = request;
    const anew = now.trainer.step === 0 && weights !== undefined;
    this.#from = !anew ? 'start' : teacher ? 'given with a teacher' : 'given';
  }

  /**
   * Checks the settings against the data, asks for the device, and makes the trainer; nothing is trained yet.
   * @throws ModelError, RunError, OptionError, OptimizerError, BufferLimitError for what does not fit; DeviceError; IoError.
   */
  static async open(request: SessionRequest): Promise<Session> {
    const { source, resume = false, checkpoint } = request;
    const config = settled(structuredClone(request.config), source);
    localStepsOf(config.train);
    checkBatch(config, source, request.ranks?.size);
    const { precision = 'f32' } = config.train;
    if (precision !== 'f32') checkNetworkPrecision(precision, networkOf(config.model));
    const subscribers = new Subscribers(request.events ?? []);
    keepData(source, config.data, resume, subscribers.warn);
    const state = checkpoint && stateOf(checkpoint, 'the checkpoint');
    const device = request.device ?? (await request.requestDevice?.());
    if (!device) throw new RunError('there is no device', 'give device, or requestDevice');
    if (precision !== 'f32') await tested(device, subscribers.warn);
    const now = onDevice(device, config, request);
    const notice = precisionNotice(precision, now.workspace.caps, networkOf(config.model));
    if (notice) subscribers.warn(notice);
    if (state) restoreTrainer(now.trainer, state);
    const store = typeof request.store === 'function' ? await request.store() : request.store;
    if (state) await saveCheckpoint(now.trainer, store, config.train.keep_checkpoints);
    if (resume && isFirst(request)) await resumeTrainer(now.trainer, store, subscribers);
    if (request.ranks) await shareState(now.trainer, request.ranks, request.weights !== undefined);
    return new Session(config, store, request, now);
  }

  /** Steps done. */
  get step(): number {
    return this.#now.trainer.step;
  }

  /** The trainer on the present device: another one after a loss. */
  get trainer(): Trainer {
    return this.#now.trainer;
  }

  get device(): GPUDevice {
    return this.#now.device;
  }

  get network(): VelocityNetwork {
    return this.#now.trainer.network;
  }

  /** The data's latents, where it is such, with what makes pictures of them. */
  get #latents(): PicturedLatents | undefined {
    const { latents } = this.source;
    return latents && { ...latents, decoder: this.#request.decoder };
  }

  get state(): 'ready' | 'training' | 'paused' {
    if (!this.#training) return 'ready';
    return this.#gate.closed ? 'paused' : 'training';
  }

  /**
   * Trains to the configured step, or until the signal or `cancel`; the state at the end is saved. Called again it goes on.
   * @throws what trainRun throws; DeviceLostError where there is no other device, or devices are lost one after the other.
   */
  async train({ steps, signal }: TrainControl = {}): Promise<void> {
    this.#usable();
    if (this.#training) throw new RunError('the session is training already', 'wait for its end, or cancel it');
    if (steps !== undefined) this.config.train.steps = steps;
    const controller = new AbortController();
    this.#training = { controller };
    const stop = signal ? AbortSignal.any([signal, controller.signal]) : controller.signal;
    try {
      await this.#trainThroughLosses(stop);
      this.#from = 'start'; // from what the trainer holds
    } finally {
      this.#training = undefined;
      this.#gate.open();
    }
  }

  /** Holds the training back after the step that it is in, until `resume`. Drawing and saving go on. */
  pause(): void {
    if (this.#training) this.#gate.close();
  }

  resume(): void {
    this.#gate.open();
  }

  /** Ends the training after the step that it is in; the state is saved, and `train` goes on with it. */
  cancel(): void {
    this.#training?.controller.abort(new RunError('the training was cancelled', 'call train to go on'));
  }

  /**
   * Draws images by the averaged weights, or those in training, beside the training.
   * @throws RunError, OptionError for what does not fit; the signal's reason; DeviceLostError where there is no other device.
   */
  async sample(request: ImageRequest = {}): Promise<DrawnImages> {
    const config = withSampling(this.config, request);
    return this.#anywhere(({ workspace, trainer }) => {
      const weights = request.weights === 'model' ? trainer.weights : trainer.average;
      const own = { precision: config.train.precision ?? 'f32', ...request };
      return sampleImages(workspace.lease('drawing'), trainer.network, weights, config, own, this.#latents);
    });
  }

  /** The averaged weights and all settings as a model file: what `loadModel` and `ucgm sample --from` read. @throws as trainerState. */
  async save(dtype: ModelDtype = 'F32'): Promise<Uint8Array<ArrayBuffer>> {
    const { config, network } = this;
    const { latents } = this.source;
    const weights = await this.#anywhere(({ trainer }) => trainer.inspect(() => trainer.average.flat.values.read()));
    return joined(encodeModel({ config, network, weights, ...(latents && { latents }) }, dtype));
  }

  /** The whole state as a checkpoint, byte for byte what the store keeps. @throws as trainerState. */
  async checkpoint(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#anywhere(({ trainer }) => checkpointBytes(trainer));
  }

  /** Ends the training, if there is one, and frees all that the session made on the device. Device and data stay their owner's. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.cancel();
    await this.#now.workspace.dispose();
  }

  async #trainThroughLosses(signal: AbortSignal): Promise<void> {
    let [furthest, stuck] = [-1, 0];
    for (;;) {
      const { device, trainer } = this.#now;
      try {
        await this.#trainOnce(signal);
        return;
      } catch (error) {
        if (!(error instanceof DeviceLostError)) throw error;
        stuck = trainer.step > furthest ? 1 : stuck + 1;
        furthest = Math.max(furthest, trainer.step);
        if (stuck >= MOST_LOSSES || signal.aborted) throw error;
        await this.#recover(device, error);
      }
    }
  }

  async #trainOnce(signal: AbortSignal): Promise<void> {
    const { config, source, store } = this;
    const { trainer } = this.#now;
    const subscribers = this.#subscribers;
    const beside = [
      collapseWatch(trainer, source, subscribers.warn, signal),
      samplePictures({
        trainer,
        config,
        store,
        latents: this.#latents,
        signal,
        sampled: (step, samples) => subscribers.tell((to) => to.sampled?.(step, samples)),
      }),
    ];
    const events = [...subscribers, ...(isFirst(this.#request) ? beside : [])];
    const { ranks } = this.#request;
    await trainRun({ trainer, source, config, store, from: this.#from, signal, gate: this.#gate, events, ranks });
  }

  /** Work on the present device; where that is lost meanwhile, once more on a new one. */
  async #anywhere<T>(work: (now: OnDevice) => Promise<T>): Promise<T> {
    this.#usable();
    await this.#recovering;
    const { device } = this.#now;
    try {
      return await work(this.#now);
    } catch (error) {
      if (!(error instanceof DeviceLostError)) throw error;
      await this.#recover(device, error);
      return work(this.#now);
    }
  }

  /** Makes all anew on another device, in the state of the last checkpoint. @throws the loss where there is no other device. */
  async #recover(lost: GPUDevice, loss: DeviceLostError): Promise<void> {
    if (this.#now.device !== lost) return; // someone else who works on it was faster
    this.#recovering ??= this.#anew(loss).finally(() => {
      this.#recovering = undefined;
    });
    await this.#recovering;
  }

  async #anew(loss: DeviceLostError): Promise<void> {
    const { requestDevice } = this.#request;
    const others = (this.#request.ranks?.size ?? 1) > 1; // they would wait for what this rank has lost
    if (!requestDevice || others || this.#closed) throw loss;
    const before = this.#now;
    await this.#subscribers.tell((to) => to.lost?.(loss, before.trainer.step));
    await before.workspace.dispose();
    const device = await requestDevice();
    if ((this.config.train.precision ?? 'f32') !== 'f32') await tested(device, this.#subscribers.warn);
    this.#now = onDevice(device, this.config, this.#request);
    await resumeTrainer(this.#now.trainer, this.store, this.#subscribers);
  }

  #usable(): void {
    if (this.#closed) throw new RunError('the session was closed', 'open another one');
  }
}

/** Whether this is the session that restores, writes and draws: of several ranks the first. */
function isFirst({ ranks }: SessionRequest): boolean {
  return ranks === undefined || ranks.rank === 0;
}

/** Workspace and trainer on a device, in the state of the start. */
function onDevice(device: GPUDevice, config: RunConfig, request: SessionRequest): OnDevice {
  const { weights, teacher, events, submitMs, ranks } = request;
  const { compiling } = new Subscribers(events ?? []);
  const workspace = new Workspace(device, { onCompile: compiling, submitMs, memoryLimit: config.train.memory_limit });
  const trainer = trainerOf(workspace, config, ranks);
  if (weights) trainer.startFrom(weights, teacher);
  return { device, workspace, trainer };
}
