import type { RunConfig } from '../io/config.ts';
import type { RunFolder } from '../io/run-folder.node.ts';
import { toFloat32 } from '../io/safetensors.ts';
import { groupOf, type HostTensor } from '../ucgm/checkpoint.ts';
import { UsageError } from './failure.ts';
import { networkOf } from './model.ts';

/** The weights of a run's newest checkpoint, by parameter, and its step. @throws UsageError, IoError, OptionError. */
export function newestWeights(run: RunFolder, model: RunConfig['model'], which: 'ema' | 'model') {
  const latest = run.latestCheckpoint();
  if (!latest) throw new UsageError(`${run.path} holds no checkpoint`, 'train longer, or resume the run');
  for (const warning of latest.warnings) console.warn(warning);
  const tensors = new Map<string, HostTensor>();
  for (const [name, tensor] of latest.tensors) {
    if (name.startsWith(`${which}/`)) tensors.set(name, { shape: tensor.shape, data: toFloat32(tensor) });
  }
  const network = networkOf(model);
  const weights = groupOf({ tensors, metadata: latest.metadata }, which, network.parameters);
  return { network, weights, step: latest.step };
}
