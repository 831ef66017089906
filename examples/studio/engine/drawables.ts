import { toFloat32 } from '../../../src/io/safetensors.ts';
import { WeightStore } from '../../../src/nn/weights.ts';
import { LoadedModel, RunError, type RunStore, type Session } from '../../../src/run/index.ts';
import { networkOf } from '../../../src/run/model.ts';
import { Workspace } from '../../../src/tensor/index.ts';
import { groupOf, type HostTensor } from '../../../src/ucgm/checkpoint.ts';
import type { Drawable } from './drawing.ts';

/** Milliseconds that one submit may take, about: the page draws in between. */
export const SUBMIT_MS = 100;

/** A model on a device, in a workspace of its own. */
export function placed({ config, network, weights }: LoadedModel, device: GPUDevice): Drawable {
  const workspace = new Workspace(device, { submitMs: SUBMIT_MS });
  const set = new WeightStore(workspace, network).frozen('weights');
  set.flat.values.write(weights as Map<string, Float32Array<ArrayBuffer>>);
  return { config, network, weights: set, workspace };
}

/** A session's averaged weights, to be drawn beside the training. */
export function beside(session: Session): Drawable {
  const { workspace, network, average } = session.trainer;
  return { config: session.config, network, weights: average, workspace: workspace.lease('studio') };
}

/** The averaged weights of a run's newest checkpoint. @throws RunError for a run without one. */
export async function keptModel(store: RunStore): Promise<{ readonly model: LoadedModel; readonly step: number }> {
  const config = await store.settings();
  const checkpoint = await store.latestCheckpoint();
  if (!config || !checkpoint) throw new RunError(`${store.name} holds no checkpoint`, 'train it longer, or remove it');
  const network = networkOf(config.model);
  const tensors = new Map<string, HostTensor>();
  for (const [name, tensor] of checkpoint.tensors)
    if (name.startsWith('ema/')) tensors.set(name, { shape: tensor.shape, data: toFloat32(tensor) });
  const weights = groupOf({ tensors, metadata: checkpoint.metadata }, 'ema', network.parameters);
  return { model: new LoadedModel({ config, network, weights }), step: checkpoint.step };
}
