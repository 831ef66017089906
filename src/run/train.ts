import { type BatchSource, datasetBatches } from '../data/batches.ts';
import { type Dataset, padTo } from '../data/dataset.ts';
import type { DeviceLostError } from '../device/index.ts';
import { randomConstants } from '../nn/tables.ts';
import { wholeBatch } from '../rng/shard.ts';
import type { HostParameters } from '../ucgm/trainer.ts';
import type { PictureDecoder } from './decoder.ts';
import { RunError } from './errors.ts';
import type { Measured, RunEvents } from './events.ts';
import { MemoryStore } from './memory_store.ts';
import type { TrainedModel } from './model_file.ts';
import { presetNamed } from './presets.ts';
import type { Sampled } from './samples.ts';
import { Session } from './session.ts';
import { mergeConfig, type PartialConfig, type RunConfig } from './settings.ts';
import type { Awaitable, RunStore } from './store.ts';
import { tuningConfig } from './tuning.ts';

/** Pictures of samples in a training, where someone wants to be told of them and does not say how often. */
const PICTURES = 20;

/** What is trained, on what, and who is told. */
export interface TrainRequest {
  /** The device; asked for by `requestDevice` if left out. It stays the caller's. */
  readonly device?: GPUDevice;
  /** Gives a device, and another one when it is lost: the training goes on from the last checkpoint. */
  readonly requestDevice?: () => Promise<GPUDevice>;
  /** Settings to start from; `tiny` if left out, `fewstep` with `from`. */
  readonly preset?: string;
  /** Settings that differ from the preset's. */
  readonly config?: PartialConfig;
  /** Images, or batches of one's own. */
  readonly data: Dataset | BatchSource;
  /** Training steps in all; those of the settings if left out. */
  readonly steps?: number;
  /** Seed of every random number. */
  readonly seed?: number;
  /** A trained model that is tuned to few steps. */
  readonly from?: Pick<TrainedModel, 'config' | 'weights'> & Partial<Pick<TrainedModel, 'network'>>;
  /** The frozen teacher of a tuning; `from` if left out. */
  readonly teacher?: Pick<TrainedModel, 'weights'>;
  /** Where the run is kept; in memory if left out. */
  readonly store?: RunStore;
  /** Goes on with the run of the store, by its own settings: `config` and `steps` may change them. */
  readonly resume?: boolean;
  /** The bytes of a checkpoint to go on from. */
  readonly checkpoint?: Uint8Array;
  /** Of latents: what makes pictures of samples. */
  readonly decoder?: PictureDecoder;
  /** Milliseconds that one submit may take the device, about, so that a page can draw in between; 100 is good. Left out: fastest. */
  readonly submitMs?: number;
  /** Ends the training after the step in which it is aborted; the state is saved. */
  readonly signal?: AbortSignal;
  /** A step was measured: each is told once, in order, some steps late. */
  readonly onStep?: (step: Measured) => Awaitable<void>;
  /** Samples were drawn, every `train.sample_every` steps. */
  readonly onSamples?: (samples: Sampled, step: number) => Awaitable<void>;
  /** A checkpoint was written. */
  readonly onCheckpoint?: (step: number) => Awaitable<void>;
  /** The device is lost, after so many steps. */
  readonly onLost?: (loss: DeviceLostError, step: number) => Awaitable<void>;
  /** Kernels are compiled: how many of those that are waited for. */
  readonly onCompile?: (done: number, of: number) => void;
  /** Something is not as it should be, or worth saying. */
  readonly onWarning?: (text: string) => void;
  readonly onNote?: (text: string) => void;
}

/**
 * Trains to the last step, or until the signal, and gives the session, to draw from, to save, and to go on with.
 * @throws as openSession and Session.train.
 */
export async function train(request: TrainRequest): Promise<Session> {
  const session = await openSession(request);
  try {
    await session.train(request.signal ? { signal: request.signal } : {});
  } catch (error) {
    await session.close();
    throw error;
  }
  return session;
}

/**
 * A session as a request says, ready to train: `session.train()` does, `pause`, `resume` and `cancel` steer it meanwhile.
 * @throws ConfigError, DataError, ModelError, RunError, OptionError for what does not fit together; DeviceError; IoError of the store.
 */
export async function openSession(request: TrainRequest): Promise<Session> {
  const { device, requestDevice, data, from, teacher, resume = false, checkpoint, submitMs, decoder } = request;
  const store = request.store ?? new MemoryStore();
  const config = await configOf(request, store);
  return Session.open({
    config,
    source: 'batch' in data ? data : batchesOf(data, config),
    store,
    device,
    requestDevice,
    resume,
    checkpoint,
    weights: resume || !from ? undefined : (startOf(from) as HostParameters),
    teacher: resume ? undefined : (teacher?.weights as HostParameters | undefined),
    submitMs,
    decoder,
    events: [eventsOf(request)],
  });
}

/** A model's weights, and the random constants that belong to them. */
const startOf = ({ weights, network }: NonNullable<TrainRequest['from']>): TrainedModel['weights'] =>
  network ? new Map([...weights, ...randomConstants(network)]) : weights;

async function configOf(request: TrainRequest, store: RunStore): Promise<RunConfig> {
  const { preset, config: own = {}, data, steps, seed, from, resume, onSamples } = request;
  const given = { train: { steps, seed } } as PartialConfig;
  if (resume) {
    const kept = await store.settings();
    if (!kept)
      throw new RunError(`${store.name} holds no run`, 'leave resume out, or give the store of an earlier run');
    return mergeConfig('the request', kept, own, given);
  }
  const named = { data: { name: data.name } } as PartialConfig;
  const config = from
    ? tuningConfig(presetNamed(preset ?? 'fewstep'), from.config, [own, named, given], 'the request')
    : mergeConfig('the request', presetNamed(preset ?? 'tiny'), named, own, given);
  if (onSamples && own.train?.sample_every === undefined)
    config.train.sample_every = Math.ceil(config.train.steps / PICTURES);
  return config;
}

function batchesOf(dataset: Dataset, { data, train }: RunConfig): BatchSource {
  const { size, batch_size: batchSize, num_classes: numClasses, flip } = data;
  return datasetBatches(size === undefined ? dataset : padTo(dataset, size), {
    seed: train.seed,
    batchSize,
    shard: wholeBatch(batchSize),
    ...(numClasses !== undefined && { numClasses }),
    flip: flip ?? false,
  });
}

function eventsOf(request: TrainRequest): RunEvents {
  const { onStep, onSamples, onCheckpoint, onLost, onCompile, onWarning, onNote } = request;
  return {
    purpose: 'answer to an event',
    measured: (step) => onStep?.(step),
    sampled: (step, samples) => onSamples?.(samples, step),
    saved: (step) => onCheckpoint?.(step),
    lost: (loss, step) => onLost?.(loss, step),
    compiling: (done, of) => onCompile?.(done, of),
    warning: (text) => onWarning?.(text),
    note: (text) => onNote?.(text),
  };
}
