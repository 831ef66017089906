import { basename } from 'node:path';
import type { Dataset } from '../data/dataset.ts';
import { readSafetensors } from '../io/safetensors.node.ts';
import { toFloat32 } from '../io/safetensors.ts';
import type { FeatureNetwork } from '../metrics/feature_network.ts';
import { inceptionNetwork } from '../metrics/inception.ts';
import { type HostWeights, smallCnn } from '../metrics/small_cnn.ts';
import type { Workspace } from '../tensor/index.ts';
import { bundledModel } from './bundled.ts';
import { UsageError } from './failure.ts';

/** What a file of Inception-v3's weights says of itself in its metadata, as `network`. */
export const INCEPTION = 'inception-v3';

/** The feature network of a file, or, for digits, the one that comes along. @throws UsageError, IoError, MetricError. */
export function featuresFor(workspace: Workspace, dataset: Dataset, path: string | undefined): FeatureNetwork {
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
  if (metadata.network === INCEPTION) return inceptionNetwork(workspace, weights, basename(file));
  return smallCnn(workspace, metadata.note ?? '', weights, basename(file));
}
