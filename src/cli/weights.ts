import { toFloat32 } from '../io/safetensors.ts';
import type { FolderStore } from '../run/folder_store.node.ts';
import { networkOf } from '../run/model.ts';
import type { RunConfig } from '../run/settings.ts';
import { checkSound, USE_SOUND_WEIGHTS } from '../run/sound.ts';
import type { Checkpoint } from '../run/store.ts';
import { groupOf, type HostTensor } from '../ucgm/checkpoint.ts';
import { UsageError } from './failure.ts';

/** Which of a checkpoint's weights: the average, or those in training. */
export type Which = 'ema' | 'model';

/**
 * The weights of a run's checkpoint, by parameter, and its step.
 * @param at its step; the newest if left out.
 * @throws UsageError (also for weights that are not finite), IoError, OptionError.
 */
export function weightsOf(run: FolderStore, model: RunConfig['model'], which: Which, at?: number) {
  const checkpoint: Checkpoint | undefined = at === undefined ? run.latestCheckpoint() : run.checkpointAt(at);
  if (!checkpoint) throw new UsageError(`${run.path} holds no checkpoint`, 'train longer, or resume the run');
  for (const warning of checkpoint.warnings) console.warn(warning);
  const tensors = new Map<string, HostTensor>();
  for (const [name, tensor] of checkpoint.tensors) {
    if (name.startsWith(`${which}/`)) tensors.set(name, { shape: tensor.shape, data: toFloat32(tensor) });
  }
  const network = networkOf(model);
  const weights = groupOf({ tensors, metadata: checkpoint.metadata }, which, network.parameters);
  checkSound(`${checkpoint.where}: ${which}`, weights, USE_SOUND_WEIGHTS);
  return { network, weights, step: checkpoint.step };
}
