import { toFloat32 } from '../io/safetensors.ts';
import { keepConstants } from '../nn/tables.ts';
import { averageGroup } from '../optim/averages.ts';
import { CONSTANT, groupOf, type HostTensor } from '../ucgm/checkpoint.ts';
import { RunError } from './errors.ts';
import { networkOf } from './model.ts';
import type { TrainedModel } from './model_file.ts';
import type { RunConfig } from './settings.ts';
import { checkSound, USE_SOUND_WEIGHTS } from './sound.ts';
import type { Checkpoint, RunStore } from './store.ts';

/** Which of a checkpoint's weights: the average, those in training, or the further average of a decay. */
export type Which = 'ema' | 'model' | { readonly average: number };

/** A model of a run, and the step of its checkpoint. */
export interface StoredModel extends TrainedModel {
  readonly step: number;
}

/** The model that a checkpoint holds. @throws RunError for weights that are not finite, OptionError for those of another network. */
export function modelOfCheckpoint(checkpoint: Checkpoint, config: RunConfig, which: Which = 'ema'): StoredModel {
  const group = groupNameOf(which, config);
  const tensors = new Map<string, HostTensor>();
  for (const [name, tensor] of checkpoint.tensors)
    if (name.startsWith(`${group}/`) || name.startsWith(`${CONSTANT}/`))
      tensors.set(name, { shape: tensor.shape, data: toFloat32(tensor) });
  const network = networkOf(config.model);
  keepConstants(network, (name) => tensors.get(`${CONSTANT}/${name}`)?.data);
  const weights = groupOf({ tensors, metadata: checkpoint.metadata }, group, network.parameters);
  checkSound(`${checkpoint.where}: ${group}`, weights, USE_SOUND_WEIGHTS);
  return { config, network, weights, step: checkpoint.step };
}

/**
 * The model of a run's newest checkpoint: to draw from, to tune, or to make a LoadedModel of.
 * @throws RunError for a run without a checkpoint, and as modelOfCheckpoint; IoError.
 */
export async function storedModel(store: RunStore, which: Which = 'ema'): Promise<StoredModel> {
  const [config, checkpoint] = [await store.settings(), await store.latestCheckpoint()];
  if (!config || !checkpoint)
    throw new RunError(`${store.name} holds no checkpoint`, 'train longer, or resume the run');
  return modelOfCheckpoint(checkpoint, config, which);
}

/** The group of a checkpoint that weights are in. @throws RunError for the average of a decay that the run does not keep. */
export function groupNameOf(which: Which, { train }: RunConfig): string {
  if (typeof which === 'string') return which;
  const { average } = which;
  if (average === train.ema_decay) return 'ema';
  if (train.ema?.includes(average)) return averageGroup(average);
  throw new RunError(
    `the run keeps no average of decay ${average}`,
    `it has those of ${[train.ema_decay, ...(train.ema ?? [])].join(', ')}: train.ema lists further ones`,
  );
}
