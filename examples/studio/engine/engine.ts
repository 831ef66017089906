import { adapterName, requestDevice } from '../../../src/device/index.ts';
import { capsOf } from '../../../src/kernel/index.ts';
import type { RunConfig } from '../../../src/run/settings.ts';
import { drawStrip } from '../../../src/run/strip.ts';
import { count, Workspace } from '../../../src/tensor/index.ts';
import type { Settings } from '../settings.ts';
import { withSettings } from '../settings.ts';
import { type Drawable, type DrawnPicture, type DrawRequest, drawGrid, pictureOf } from './drawing.ts';
import { openModelFile } from './model_file.ts';
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
  readonly classes: number;
  readonly columns: number;
  /** C, H, W. */
  readonly input: readonly [number, number, number];
}

/** What the page asks of the worker; all GPU work is here. */
export class Engine {
  #workspace: Workspace | undefined;
  #model: Drawable | undefined;
  #atOnce = 500;
  #drawing: AbortController | undefined;

  /** Opens the device. @throws DeviceError with what to do. */
  async open(): Promise<DeviceFacts> {
    const device = await requestDevice(navigator.gpu);
    this.#workspace = new Workspace(device);
    const { software } = capsOf(device);
    if (software) this.#atOnce = 10;
    return { adapter: adapterName(device), software };
  }

  /** Takes a file of weights as the model that is drawn from. */
  async load(bytes: Uint8Array, title: string, file?: string): Promise<ModelFacts> {
    const model = openModelFile(this.#workspace as Workspace, bytes, file ?? title);
    this.#model = model;
    const { network, config } = model;
    return {
      title,
      ...(file !== undefined && { file }),
      config,
      parameters: network.parameters.reduce((sum, { shape }) => sum + count(shape), 0),
      classes: network.numClasses,
      columns: network.numClasses >= 2 ? Math.min(network.numClasses, 16) : 8,
      input: network.input,
    };
  }

  /** Draws a grid, a part after the other; what was being drawn ends. */
  async draw(settings: Settings, request: DrawRequest, shown: (part: DrawnPicture) => void): Promise<void> {
    await this.#alone((model, signal) => drawGrid(model, request, this.#atOnce, shown, signal), settings);
  }

  /** The same noise at several numbers of steps. */
  async strip(settings: Settings) {
    return this.#alone(async (model, signal) => {
      const { workspace, network, weights, config } = model;
      const seeded = { ...config, train: { ...config.train, seed: settings.seed } };
      const { samples, labels, columns } = await drawStrip(workspace, network, weights, seeded, { signal });
      return pictureOf(samples, labels.length, network, columns);
    }, settings);
  }

  async trajectory(settings: Settings, request: TrajectoryRequest): Promise<Trajectory> {
    return this.#alone((model, signal) => drawTrajectory(model, request, signal), settings);
  }

  /** Ends what is being drawn, as soon as there is something to see of it. */
  cancel(): void {
    this.#drawing?.abort();
  }

  async #alone<T>(work: (model: Drawable, signal: AbortSignal) => Promise<T>, settings: Settings): Promise<T> {
    if (!this.#model) throw new Error('no model is loaded');
    const { signal } = (this.#drawing = new AbortController());
    return work({ ...this.#model, config: withSettings(this.#model.config, settings) }, signal);
  }
}
