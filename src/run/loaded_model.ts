import type { NetworkWeights } from '../nn/weights.ts';
import { WeightStore } from '../nn/weights.ts';
import { Workspace } from '../tensor/index.ts';
import { joined } from './checkpoint.ts';
import type { PictureDecoder } from './decoder.ts';
import { encodeModel, type ModelDtype, parseModel, type TrainedModel } from './model_file.ts';
import { type DrawnImages, type ImageRequest, sampleImages, withSampling } from './samples.ts';

/** What is asked of a loaded model, and on which device. */
export interface LoadedRequest extends Omit<ImageRequest, 'weights'> {
  readonly device: GPUDevice;
  /** Of a model of latents: what makes pictures of them; latents are given if left out. */
  readonly decoder?: PictureDecoder;
  /** As that of a session; the first call on a device decides. */
  readonly submitMs?: number;
}

/** A trained model that was read: settings, network and weights on the host; it draws on any device. */
export class LoadedModel implements TrainedModel {
  readonly config: TrainedModel['config'];
  readonly network: TrainedModel['network'];
  readonly weights: TrainedModel['weights'];
  readonly latents?: NonNullable<TrainedModel['latents']>;
  readonly #onDevice = new Map<GPUDevice, { readonly workspace: Workspace; readonly weights: NetworkWeights }>();

  constructor({ config, network, weights, latents }: TrainedModel) {
    [this.config, this.network, this.weights] = [config, network, weights];
    if (latents) this.latents = latents;
  }

  /**
   * Draws images. The first call on a device puts the weights there, where they stay until `free`.
   * @throws RunError, OptionError, ConfigError for what does not fit; the signal's reason; DeviceLostError when the device is lost.
   */
  async sample({ device, submitMs, decoder, ...request }: LoadedRequest): Promise<DrawnImages> {
    const config = withSampling(this.config, request);
    const { workspace, weights } = this.#on(device, submitMs);
    const latents = this.latents && { ...this.latents, decoder };
    return sampleImages(workspace, this.network, weights, config, request, latents);
  }

  /** The model as a file, which loadModel and `ucgm sample --from` read. @throws RunError for a number that F16 cannot hold. */
  save(dtype: ModelDtype = 'F32'): Uint8Array<ArrayBuffer> {
    return joined(encodeModel(this, dtype));
  }

  /** Frees what the model has on its devices. */
  async free(): Promise<void> {
    const all = [...this.#onDevice.values()];
    this.#onDevice.clear();
    for (const { workspace } of all) await workspace.dispose();
  }

  #on(device: GPUDevice, submitMs: number | undefined) {
    let there = this.#onDevice.get(device);
    if (!there) {
      const workspace = new Workspace(device, { submitMs });
      const weights = new WeightStore(workspace, this.network).frozen('weights');
      weights.flat.values.write(this.weights);
      there = { workspace, weights };
      this.#onDevice.set(device, there);
    }
    return there;
  }
}

/**
 * A model from the bytes of a file: of `Session.save`, `ucgm export`, the package's folder models, or a checkpoint of the PyTorch reference
 * that names its model.
 * @param where the file's name, for errors.
 * @throws RunError for a file that does not say its model, or holds numbers that are not finite; IoError, ConfigError, ModelError,
 * OptionError for what does not fit.
 */
export async function loadModel(bytes: ArrayBuffer | Uint8Array, where = 'the model'): Promise<LoadedModel> {
  return new LoadedModel(parseModel(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes), where));
}
