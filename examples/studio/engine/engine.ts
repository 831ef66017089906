import { adapterName, lossOf, requestDevice } from '../../../src/device/index.ts';
import { capsOf } from '../../../src/kernel/index.ts';
import {
  type LoadedModel,
  loadModel,
  type MetricsLine,
  OpfsStore,
  type Picture,
  type RunConfig,
} from '../../../src/run/index.ts';
import { gridColumns } from '../../../src/run/samples.ts';
import { count } from '../../../src/tensor/index.ts';
import type { Settings } from '../settings.ts';
import { withSettings } from '../settings.ts';
import { drawFlow, type Flow } from '../toy/flow.ts';
import { datasetNamed } from './data.ts';
import { beside, type HostModel, keptModel, placed } from './drawables.ts';
import { type Drawable, type DrawnPicture, type DrawRequest, drawGrid, drawStrip } from './drawing.ts';
import { type KeptRun, keptRuns } from './runs.ts';
import { Training, type TrainingListener } from './training.ts';
import { drawTrajectory, type Trajectory, type TrajectoryRequest } from './trajectory.ts';

/** The device that the worker has. */
export interface DeviceFacts {
  readonly adapter: string;
  /** A processor that stands in for a GPU. */
  readonly software: boolean;
}

/** A model that can be drawn from, for people and for the sliders. */
export interface ModelFacts {
  readonly title: string;
  /** What the command line calls it; the model that comes along if left out. */
  readonly file?: string;
  readonly config: RunConfig;
  readonly parameters: number;
  readonly columns: number;
  /** C, H, W. */
  readonly input: readonly [number, number, number];
  /** Steps it was trained, where it is a run of this browser. */
  readonly step?: number;
}

/** What the page asks of the worker; all GPU work and all files are here. */
export class Engine {
  #device: GPUDevice | undefined;
  #software = false;
  /** A loaded model, on the host: it goes to a new device when one is lost. */
  #loaded: HostModel | undefined;
  #placed: { readonly device: GPUDevice; readonly model: Drawable } | undefined;
  #training: Training | undefined;
  #drawing: AbortController | undefined;

  /** Opens the device. @throws DeviceError with what to do. */
  async open(): Promise<DeviceFacts> {
    const device = await this.#deviceNow();
    this.#software = capsOf(device).software;
    return { adapter: adapterName(device), software: this.#software };
  }

  /** Takes a file of weights as the model that is drawn from: ours, or the reference's. @throws as loadModel. */
  async load(bytes: Uint8Array, title: string, file?: string): Promise<ModelFacts> {
    const model = await loadModel(bytes, file ?? title);
    await this.#endTraining();
    await this.#take(model);
    return factsOf(model, { title, ...(file !== undefined && { file }) });
  }

  /** Opens a run of this browser, to draw from the newest checkpoint. */
  async openRun(name: string): Promise<{ readonly model: ModelFacts; readonly lines: MetricsLine[] }> {
    const store = await OpfsStore.open(name);
    const model = await keptModel(store);
    await this.#endTraining();
    await this.#take(model);
    const facts = factsOf(model, { title: name, file: `runs/${name}`, step: model.step });
    return { model: facts, lines: await store.metrics() };
  }

  /** Makes a training ready, from which is drawn from then on: a new one, one that goes on, or a tuning of the model that is drawn from. */
  async prepare(
    { run, settings, files, how }: { run: string; settings: Settings; files: File[]; how: 'new' | 'resume' | 'tune' },
    listener: TrainingListener,
  ): Promise<ModelFacts> {
    const device = await this.#deviceNow();
    const from = how === 'tune' ? await this.#hostModel() : undefined;
    const config = how === 'resume' ? await (await OpfsStore.open(run)).settings() : from?.config;
    const data = await datasetNamed(config?.data.name ?? settings.data, files);
    await this.#endTraining();
    this.#training = await Training.open(
      {
        run,
        settings,
        data,
        device,
        requestDevice: () => this.#deviceNow(),
        resume: how === 'resume',
        ...(from && { from: from as LoadedModel }),
        software: this.#software,
      },
      listener,
    );
    const { session } = this.#training;
    return factsOf(session, { title: run, file: `runs/${run}`, step: session.step });
  }

  /** Trains what was prepared, to its end or until `stop`. @throws as Session.train. */
  async train(): Promise<void> {
    await this.#training?.train();
  }

  pause(paused: boolean): void {
    if (paused) this.#training?.session.pause();
    else this.#training?.session.resume();
    this.#training?.tell();
  }

  /** Ends the training after the step that it is in; its state is kept. */
  stop(): void {
    this.#training?.session.cancel();
  }

  /** How far the velocity is from the path's, by time; nothing where nothing is trained. */
  async errorsByTime(): Promise<number[] | undefined> {
    return this.#training?.errorsByTime();
  }

  /** The model that is drawn from as a file: what `ucgm sample --from` and `load` read. */
  async save(): Promise<Uint8Array> {
    if (this.#training) return this.#training.session.save();
    return (this.#loaded as LoadedModel).save();
  }

  /** The log of a run. */
  async lines(name: string): Promise<MetricsLine[]> {
    return (await OpfsStore.open(name)).metrics();
  }

  runs(say: (text: string) => void): Promise<KeptRun[]> {
    return keptRuns(say);
  }

  /** The newest checkpoint of a run, byte for byte: what `ucgm train --resume` takes in the run's folder. */
  async checkpoint(name: string): Promise<{ readonly step: number; readonly bytes: Uint8Array } | undefined> {
    const store = await OpfsStore.open(name);
    const step = (await store.checkpoints()).at(-1);
    const bytes = step === undefined ? undefined : await store.checkpointBytes(step);
    return step !== undefined && bytes ? { step, bytes } : undefined;
  }

  async removeRun(name: string): Promise<void> {
    if (this.#training?.run === name) await this.#endTraining();
    await OpfsStore.remove(name);
  }

  /** Draws a grid, a part after the other. */
  draw(settings: Settings, request: DrawRequest, shown: (part: DrawnPicture) => void): Promise<void> {
    const atOnce = this.#software ? request.columns : 500;
    return this.#with(settings, (model, signal) => drawGrid(model, request, atOnce, shown, signal));
  }

  /** The same noise at several numbers of steps, a row after the other. */
  strip(settings: Settings, columns: number, shown: (picture: Picture) => void): Promise<void> {
    return this.#with(settings, (model, signal) => drawStrip(model, settings.seed, columns, shown, signal));
  }

  trajectory(settings: Settings, request: TrajectoryRequest): Promise<Trajectory> {
    return this.#with(settings, (model, signal) => drawTrajectory(model, request, signal));
  }

  /** The flow of points in the plane, and its field at a time. */
  flow(settings: Settings, t: number): Promise<Flow> {
    return this.#with(settings, (model, signal) => drawFlow(model, settings.seed, t, signal));
  }

  /** Ends what is being drawn, as soon as there is something to see of it. */
  cancel(): void {
    this.#drawing?.abort();
  }

  async #with<T>(settings: Settings, work: (model: Drawable, signal: AbortSignal) => Promise<T>): Promise<T> {
    const model = await this.#model();
    const { signal } = (this.#drawing = new AbortController());
    return work({ ...model, config: withSettings(model.config, settings) }, signal);
  }

  /** What is drawn from: the training, or the loaded model, on the device there is. */
  async #model(): Promise<Drawable> {
    if (this.#training) return beside(this.#training.session);
    if (!this.#loaded) throw new Error('no model is loaded');
    const device = await this.#deviceNow();
    if (this.#placed?.device !== device) this.#placed = { device, model: placed(this.#loaded, device) };
    return this.#placed.model;
  }

  /** What is drawn from, on the host. */
  async #hostModel(): Promise<HostModel> {
    if (this.#training) return this.#training.model();
    if (!this.#loaded) throw new Error('no model is loaded');
    return this.#loaded;
  }

  async #take(model: HostModel): Promise<void> {
    await this.#placed?.model.workspace.dispose();
    this.#placed = undefined;
    this.#loaded = model;
  }

  async #endTraining(): Promise<void> {
    const training = this.#training;
    this.#training = undefined;
    await training?.session.close();
  }

  /** The device there is, or another one where it is lost. */
  async #deviceNow(): Promise<GPUDevice> {
    if (!this.#device || lossOf(this.#device)) this.#device = await requestDevice(navigator.gpu);
    return this.#device;
  }
}

function factsOf(
  { config, network }: Pick<HostModel, 'config' | 'network'>,
  about: Pick<ModelFacts, 'title' | 'file' | 'step'>,
): ModelFacts {
  return {
    ...about,
    config,
    parameters: network.parameters.reduce((sum, { shape }) => sum + count(shape), 0),
    columns: gridColumns(network),
    input: network.input,
  };
}
