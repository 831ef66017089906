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
import { beside, keptModel, placed } from './drawables.ts';
import {
  type Drawable,
  type DrawingEnds,
  type DrawnPicture,
  type DrawRequest,
  drawGrid,
  drawStrip,
} from './drawing.ts';
import { forgetPictures, keepPictures, keptPictures } from './kept_pictures.ts';
import { OWN } from './own.ts';
import { type KeptRun, keptRuns, runArchive } from './runs.ts';
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

/** How a training begins. */
export type Beginning = 'new' | 'resume' | 'tune' | 'checkpoint';

/** A training to be made ready: a new one, one that goes on, or a tuning of the model that is drawn from. */
export interface PrepareRequest {
  readonly run: string;
  readonly settings: Settings;
  /** A person's own pictures. */
  readonly files: File[];
  readonly how: Beginning;
  /** The bytes of a checkpoint to go on from. */
  readonly checkpoint?: Uint8Array;
}

/** Images that a processor which stands in for a GPU draws at once: one takes it a second, and the first are soon to be seen. */
const FEW = 2;

/** What the page asks of the worker; all GPU work and all files are here. */
export class Engine {
  #device: GPUDevice | undefined;
  #software = false;
  /** A loaded model, on the host: it goes to a new device when one is lost. */
  #loaded: LoadedModel | undefined;
  #placed: { readonly device: GPUDevice; readonly model: Drawable } | undefined;
  #training: Training | undefined;
  /** The run that the model which is drawn from is of. */
  #run: string | undefined;
  /** Changes of the model that is drawn from happen one after the other. */
  #changes: Promise<unknown> = Promise.resolve();
  /** Of what is being drawn: ended softly, with something to see of it, or at once. */
  #drawing: { readonly soft: AbortController; readonly now: AbortController } | undefined;

  /** Opens the device. @throws DeviceError with what to do. */
  async open(): Promise<DeviceFacts> {
    const device = await this.#deviceNow();
    this.#software = capsOf(device).software;
    return { adapter: adapterName(device), software: this.#software };
  }

  /** Takes a file of weights as the model that is drawn from: ours, or the reference's. @throws as loadModel. */
  load(bytes: Uint8Array, title: string, file?: string): Promise<ModelFacts> {
    return this.#change(async () => {
      const model = await loadModel(bytes, file ?? title);
      await this.#take(model);
      this.#run = undefined;
      return factsOf(model, { title, ...(file !== undefined && { file }) });
    });
  }

  /** Opens a run of this browser, to draw from the newest checkpoint. */
  openRun(name: string): Promise<{ readonly model: ModelFacts; readonly lines: MetricsLine[] }> {
    return this.#change(async () => {
      const store = await OpfsStore.open(name);
      const { model, step } = await keptModel(store);
      await this.#take(model);
      this.#run = name;
      const facts = factsOf(model, { title: name, file: `runs/${name}`, step });
      return { model: facts, lines: await store.metrics() };
    });
  }

  /** Makes a training ready; from then on it is what is drawn from. */
  prepare(request: PrepareRequest, listener: TrainingListener): Promise<ModelFacts> {
    return this.#change(() => this.#prepare(request, listener));
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

  /** The model that is drawn from as a file: what `ucgm sample --from` and `load` read. */
  async save(): Promise<Uint8Array> {
    if (this.#training) return this.#training.session.save();
    return (await this.#hostModel()).save();
  }

  /** The log of a run. */
  async lines(name: string): Promise<MetricsLine[]> {
    return (await OpfsStore.open(name)).metrics();
  }

  runNames(): Promise<string[]> {
    return OpfsStore.names();
  }

  runs(say: (text: string) => void): Promise<KeptRun[]> {
    return keptRuns(say);
  }

  /** A run as a zip of its folder. */
  archive(name: string): Promise<Uint8Array> {
    return runArchive(name);
  }

  async removeRun(name: string): Promise<void> {
    if (this.#training?.run === name) await this.#endTraining();
    await OpfsStore.remove(name);
    await forgetPictures(name);
  }

  /** Draws a grid, a part after the other. */
  draw(settings: Settings, request: DrawRequest, shown: (part: DrawnPicture) => void): Promise<void> {
    const atOnce = this.#software ? FEW : 500;
    return this.#with(settings, (model, ends) => drawGrid(model, request, atOnce, shown, ends));
  }

  /** The same noise at several numbers of steps, a row after the other. */
  strip(settings: Settings, columns: number, shown: (picture: Picture) => void): Promise<void> {
    return this.#with(settings, (model, { any }) => drawStrip(model, settings.seed, columns, shown, any));
  }

  trajectory(settings: Settings, request: TrajectoryRequest): Promise<Trajectory> {
    return this.#with(settings, (model, { any }) => drawTrajectory(model, request, any));
  }

  /** The flow of points in the plane, and its field at a time. */
  flow(settings: Settings, t: number): Promise<Flow> {
    return this.#with(settings, (model, { now }) => drawFlow(model, settings.seed, t, now));
  }

  /** Ends what is being drawn, as soon as there is something to see of it. */
  cancel(): void {
    this.#drawing?.soft.abort();
  }

  async #with<T>(settings: Settings, work: (model: Drawable, ends: DrawingEnds) => Promise<T>): Promise<T> {
    const model = await this.#model();
    const [soft, now] = [new AbortController(), new AbortController()];
    this.#drawing = { soft, now };
    const ends = { soft: soft.signal, now: now.signal, any: AbortSignal.any([soft.signal, now.signal]) };
    return work({ ...model, config: withSettings(model.config, settings) }, ends);
  }

  /** Ends what is being drawn, and the training: another model takes their place. */
  async #endAll(): Promise<void> {
    this.#drawing?.now.abort();
    await this.#endTraining();
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
  async #hostModel(): Promise<LoadedModel> {
    if (this.#training) return this.#training.model();
    if (!this.#loaded) throw new Error('no model is loaded');
    return this.#loaded;
  }

  async #prepare(request: PrepareRequest, listener: TrainingListener): Promise<ModelFacts> {
    const { run, settings, how, checkpoint } = request;
    const device = await this.#deviceNow();
    const from = how === 'tune' ? await this.#hostModel() : undefined;
    const config = how === 'resume' ? await (await OpfsStore.open(run)).settings() : from?.config;
    const name = config?.data.name ?? settings.data;
    const pictures = name === OWN ? await this.#pictures(request) : [];
    const data = await datasetNamed(name, pictures);
    await this.#endAll();
    const requestDevice = () => this.#deviceNow();
    const about = { run, settings, data, device, requestDevice, software: this.#software, resume: how === 'resume' };
    this.#training = await Training.open(
      { ...about, ...(from && { from }), ...(checkpoint && { checkpoint }) },
      listener,
    );
    this.#run = run;
    if (how !== 'resume' && name === OWN)
      await keepPictures(run, pictures).catch((error) => listener.say(notKept(error)));
    const { session } = this.#training;
    return factsOf(session, { title: run, file: `runs/${run}`, step: session.step });
  }

  /** Those that were chosen, or else that are kept: of the run that goes on, or that the model to tune is of. */
  #pictures({ files, how, run }: PrepareRequest): Promise<File[]> | File[] {
    const of = how === 'resume' ? run : how === 'tune' ? this.#run : undefined;
    return files.length > 0 || of === undefined ? files : keptPictures(of);
  }

  #change<T>(work: () => Promise<T>): Promise<T> {
    const changed = this.#changes.then(work);
    this.#changes = changed.catch(() => {}); // told to whoever asked for it
    return changed;
  }

  async #take(model: LoadedModel): Promise<void> {
    await this.#endAll();
    await this.#placed?.model.workspace.dispose();
    this.#placed = undefined;
    this.#loaded = model;
  }

  async #endTraining(): Promise<void> {
    const training = this.#training;
    this.#training = undefined;
    await training?.close();
  }

  /** The device there is, or another one where it is lost. */
  async #deviceNow(): Promise<GPUDevice> {
    if (!this.#device || lossOf(this.#device)) this.#device = await requestDevice(navigator.gpu);
    return this.#device;
  }
}

const notKept = (error: unknown) =>
  `the pictures are not kept (${error instanceof Error ? error.message : error}): after a reload, choose them again`;

function factsOf(
  { config, network }: Pick<LoadedModel, 'config' | 'network'>,
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
