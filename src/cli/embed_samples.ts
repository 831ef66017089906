import { denormaliseLatents } from '../data/latents.ts';
import { type Embedding, embed, type ImageSource } from '../metrics/embed.ts';
import { embedTogether } from '../metrics/embed_together.ts';
import type { FeatureNetwork } from '../models/features/feature_network.ts';
import type { Weights } from '../nn/network.ts';
import { type PicturedLatents, shown, shownShape } from '../run/decoder.ts';
import type { Drawing } from '../run/draw.ts';
import { drawTogether } from '../run/draw_together.ts';
import type { RunConfig } from '../run/settings.ts';
import type { Workspace } from '../tensor/index.ts';
import { type SeenSamples, SHOWN } from './nearest_grid.ts';
import { ranks } from './ranks.ts';
import type { Source } from './source.ts';

/** What draws samples, and the network whose features they are looked at in. */
export interface SampledNetwork {
  readonly source: Source;
  /** Of a run on latents. */
  readonly latents: PicturedLatents | undefined;
  readonly weights: Weights;
  readonly config: RunConfig;
  readonly network: FeatureNetwork;
}

/** Features of samples, and the first of these. */
export interface EmbeddedSamples {
  readonly embedding: Embedding;
  /** Passes through the network that a sample took. */
  readonly nfe: number;
  /** Of drawing. */
  readonly seconds: number;
  readonly seen: SeenSamples;
}

/** Features of samples, drawn and embedded part by part, by all ranks. */
export async function embedSamples(
  workspace: Workspace,
  { source, latents, weights, config, network }: SampledNetwork,
  drawing: Drawing,
): Promise<EmbeddedSamples> {
  const { labels, signal } = drawing;
  const { input } = source.network;
  const [channels, height, width] = shownShape(input, latents?.decoder);
  const one = channels * height * width;
  const features = new Float32Array(labels.length * network.dim);
  let classes: Uint32Array | undefined;
  let [nfe, ms, before] = [0, 0, performance.now()];
  const kept = new Float32Array(Math.min(SHOWN, labels.length) * one);
  const parts = drawTogether(workspace, source.network, weights, config, drawing, ranks());
  for await (const { samples, first, nfe: passes } of parts) {
    if (latents) denormaliseLatents(samples, input[1] * input[2], latents);
    const images = await shown(workspace, samples, input, latents?.decoder, signal);
    ms += performance.now() - before;
    const drawn: ImageSource = {
      size: images.length / one,
      ...{ channels, height, width },
      image: (index, out, offset) => out.set(images.subarray(index * one, (index + 1) * one), offset),
    };
    const few = drawn.size < ranks().size; // all ranks have all images
    const part = await (few
      ? embed(workspace, network, drawn, { signal })
      : embedTogether(workspace, network, drawn, ranks(), { signal }));
    features.set(part.features, first * network.dim);
    if (part.classes) {
      classes ??= new Uint32Array(labels.length);
      classes.set(part.classes, first);
    }
    if (first * one < kept.length) kept.set(images.subarray(0, kept.length - first * one), first * one);
    nfe = passes;
    before = performance.now();
  }
  const seen = { images: kept, features: features.slice(0, (kept.length / one) * network.dim) };
  return { embedding: { features, ...(classes && { classes }) }, nfe, seconds: Number((ms / 1000).toFixed(1)), seen };
}
