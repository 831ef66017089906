import type { FolderStore } from '../run/folder_store.node.ts';
import type { RunConfig } from '../run/settings.ts';
import { modelOfCheckpoint, type StoredModel, type Which } from '../run/stored_model.ts';
import { UsageError } from './failure.ts';

/**
 * The model of a run's checkpoint.
 * @param at its step; the newest if left out.
 * @throws UsageError for a run without one, RunError for weights that are not finite, IoError, OptionError.
 */
export function weightsOf(run: FolderStore, config: RunConfig, which: Which, at?: number): StoredModel {
  const checkpoint = at === undefined ? run.latestCheckpoint() : run.checkpointAt(at);
  if (!checkpoint) throw new UsageError(`${run.path} holds no checkpoint`, 'train longer, or resume the run');
  for (const warning of checkpoint.warnings) console.warn(warning);
  return modelOfCheckpoint(checkpoint, config, which);
}
