import { basename } from 'node:path';
import type { Dataset } from '../data/dataset.ts';
import { readSafetensors } from '../io/safetensors.node.ts';
import { toFloat32 } from '../io/safetensors.ts';
import type { FeatureNetwork } from '../models/features/feature_network.ts';
import { inceptionNetwork } from '../models/features/inception.ts';
import { parseDescription } from '../models/features/layers.ts';
import { type HostWeights, smallCnn } from '../models/features/small_cnn.ts';
import { checkSound } from '../run/sound.ts';
import type { Workspace } from '../tensor/index.ts';
import { bundledModel } from './bundled.ts';
import { UsageError } from './failure.ts';

/** What a file of Inception-v3's weights says of itself in its metadata, as `network`. */
export const INCEPTION = 'inception-v3';

/** A file that describes a feature network. */
export interface FeaturesFile {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly weights: ReadonlyMap<string, HostWeights>;
}

/**
 * Reads the file of a feature network, or, for digits, the one that comes along.
 * @throws UsageError (also for weights that are not finite), IoError.
 */
export function readFeatures(dataset: Dataset, path: string | undefined): FeaturesFile {
  if (path === undefined && (dataset.channels !== 1 || dataset.numClasses !== 10)) {
    throw new UsageError(
      `${dataset.name} has no feature network of its own`,
      'give --features FILE: safetensors whose metadata describe the network',
    );
  }
  const file = path ?? bundledModel('mnist_features');
  const { tensors, metadata } = readSafetensors(file);
  const weights = new Map<string, HostWeights>();
  for (const [name, tensor] of tensors) weights.set(name, { shape: tensor.shape, data: toFloat32(tensor) });
  checkSound(
    file,
    [...weights].map(([name, { data }]) => [name, data] as const),
    'write the file again',
  );
  if (metadata.network !== INCEPTION) parseDescription(metadata.note ?? '', basename(file));
  return { path: file, metadata, weights };
}

/** The feature network of a file, on the device. @throws ModelError for weights that do not fit its description. */
export function featureNetwork(workspace: Workspace, { path, metadata, weights }: FeaturesFile): FeatureNetwork {
  if (metadata.network === INCEPTION) return inceptionNetwork(workspace, weights, basename(path));
  return smallCnn(workspace, metadata.note ?? '', weights, basename(path));
}
