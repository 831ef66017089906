import type { Dataset } from '../data/dataset.ts';
import { adapterName } from '../device/index.ts';
import { checkFits } from '../metrics/embed.ts';
import { embedTogether } from '../metrics/embed_together.ts';
import { frechetDistance, momentsOfFeatures } from '../metrics/frechet.ts';
import { distanceBySize } from '../metrics/sample_size.ts';
import { type Reference, referenceOf, score } from '../metrics/score.ts';
import type { FeatureNetwork } from '../models/features/feature_network.ts';
import type { Weights } from '../nn/network.ts';
import { precisionNotice } from '../nn/precision_notice.ts';
import { WeightStore } from '../nn/weights.ts';
import { type PicturedLatents, shownShape } from '../run/decoder.ts';
import type { SeedScores } from '../run/evaluation.ts';
import type { RunConfig } from '../run/settings.ts';
import { type PassPrecision, Workspace } from '../tensor/index.ts';
import { type EmbeddedSamples, embedSamples } from './embed_samples.ts';
import { UsageError } from './failure.ts';
import { type FeaturesFile, featureNetwork } from './features.ts';
import { type SeenSamples, writeNearest } from './nearest_grid.ts';
import { openTunedDevice } from './open_device.ts';
import { placeRanks, ranks } from './ranks.ts';
import type { Source } from './source.ts';

/** What is scored, and against what. */
export interface ScorerRequest {
  readonly source: Source;
  /** Of a model of latents: what makes images of its samples. */
  readonly latents: PicturedLatents | undefined;
  readonly dataset: Dataset;
  readonly features: FeaturesFile;
  /** Samples of a score. */
  readonly images: number;
  /** Images sampled at a time. */
  readonly batch: number;
  /** In what the network's products are taken. */
  readonly precision: PassPrecision;
  /** Several ranks may work on one card. Default false. */
  readonly shareDevice?: boolean;
  /** Take what is kept of the adapter; true if left out. */
  readonly tuned?: boolean | undefined;
  readonly signal: AbortSignal;
}

/** A model, and the features of what its samples are compared with, on a device. */
export class Scorer {
  readonly adapter: string;
  readonly #request: ScorerRequest;
  readonly #device: GPUDevice;
  readonly #workspace: Workspace;
  readonly #network: FeatureNetwork;
  readonly #weights: Weights;
  readonly #reference: Reference;
  /** Of the samples that were drawn last. */
  #seen: SeenSamples | undefined;

  private constructor(
    request: ScorerRequest,
    device: GPUDevice,
    workspace: Workspace,
    network: FeatureNetwork,
    reference: Reference,
  ) {
    [this.#request, this.#device, this.#workspace] = [request, device, workspace];
    [this.#network, this.#reference] = [network, reference];
    this.adapter = adapterName(device);
    const weights = new WeightStore(workspace, request.source.network).frozen('weights');
    weights.flat.values.write(request.source.weights);
    this.#weights = weights;
  }

  /** Opens a device, and takes the features of the training images. @throws MetricError for images that do not fit; the signal's reason. */
  static async open(request: ScorerRequest): Promise<Scorer> {
    const { source, latents, dataset, features, images, signal } = request;
    const device = await openTunedDevice({ tuned: request.tuned });
    await placeRanks(device, request.shareDevice ?? false);
    const first = ranks().rank === 0;
    const workspace = new Workspace(device);
    const notice = precisionNotice(request.precision, workspace.caps, source.network);
    if (notice && first) console.warn(notice);
    const network = featureNetwork(workspace, features);
    const [channels, height, width] = shownShape(source.network.input, latents?.decoder);
    checkFits(network, { channels, height, width });
    const start = performance.now();
    const { features: all } = await embedTogether(workspace, network, dataset, ranks(), { signal });
    const reference = await referenceOf(workspace, all, network.dim, images, { signal });
    const scorer = new Scorer(request, device, workspace, network, reference);
    if (first)
      console.log(
        `${dataset.size} images to compare with, in the features of ${network.name}: ${secondsSince(start)} s on ${scorer.adapter}`,
      );
    return scorer;
  }

  /** What all scores have in common. */
  get about() {
    const { source, dataset, images } = this.#request;
    return {
      features: this.#network.name,
      images,
      reference: `${dataset.name}, ${dataset.size} images`,
      model: `${source.config.model.name}, ${source.label}`,
      adapter: this.adapter,
    };
  }

  /** Samples by a setting from the noise of a seed, classes in turn, and scores them. @throws UsageError for scores that are no numbers. */
  async score(config: RunConfig, seed: number): Promise<SeedScores> {
    const { images, signal } = this.#request;
    const reference = this.#reference;
    const { embedding, labels, nfe, seconds } = await this.#samples(config, seed, images);
    const scores = await score(this.#workspace, reference, embedding, labels, { signal });
    checkScores({ ...scores }, config.sample.sampling_steps);
    const bySize = distanceBySize(reference.moments, embedding.features, scores.frechet);
    return { ...scores, bySize, nfe, seconds, seed };
  }

  /** The Frechet distance alone, of so many samples. @throws UsageError where it is no number. */
  async distance(config: RunConfig, seed: number, images: number): Promise<number> {
    const { embedding } = await this.#samples(config, seed, images);
    const frechet = frechetDistance(this.#reference.moments, momentsOfFeatures(embedding.features, this.#network.dim));
    checkScores({ frechet }, config.sample.sampling_steps);
    return frechet;
  }

  /** Writes samples that were drawn last, and below each the nearest image of the data. @throws IoError. */
  async writeNearest(path: string): Promise<void> {
    if (this.#seen) await writeNearest(path, this.#workspace, this.#seen, this.#request.dataset, this.#reference.all);
  }

  /** Features of samples by a setting from the noise of a seed, and what sampling them took. */
  async #samples(config: RunConfig, seed: number, images: number): Promise<EmbeddedSamples & { labels: Uint32Array }> {
    const { source, latents, batch, precision, signal } = this.#request;
    const numClasses = Math.max(1, source.network.numClasses);
    const labels = Uint32Array.from({ length: images }, (_, i) => i % numClasses);
    const drawing = { labels, seed, atOnce: batch, signal, precision };
    const drawn = { source, latents, weights: this.#weights, config, network: this.#network };
    const samples = await embedSamples(this.#workspace, drawn, drawing);
    this.#seen = samples.seen;
    return { ...samples, labels };
  }

  async close(): Promise<void> {
    this.#network.free();
    await this.#workspace.dispose();
    this.#device.destroy();
  }
}

/** JSON has no NaN: it would be written as none. @throws UsageError. */
function checkScores(scores: { readonly [name: string]: number | null }, steps: number): void {
  const stray = Object.entries(scores).find(([, value]) => value !== null && !Number.isFinite(value));
  if (stray)
    throw new UsageError(
      `the score ${stray[0]} at ${steps} steps is ${stray[1]}`,
      'give more --images, or look at the samples: the model may have diverged',
    );
}

const secondsSince = (start: number) => ((performance.now() - start) / 1000).toFixed(1);
