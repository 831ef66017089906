import { parseSafetensors, toFloat32 } from '../../../src/io/safetensors.ts';
import { WeightStore } from '../../../src/nn/weights.ts';
import { networkOf } from '../../../src/run/model.ts';
import { mergeConfig, parseConfig } from '../../../src/run/settings.ts';
import type { Workspace } from '../../../src/tensor/index.ts';
import type { Drawable } from './drawing.ts';

export function openModelFile(workspace: Workspace, bytes: Uint8Array, where: string): Drawable {
  const { tensors, metadata } = parseSafetensors(bytes, where);
  const config = mergeConfig(where, parseConfig(metadata.run ?? '', where));
  const network = networkOf(config.model);
  const weights = new WeightStore(workspace, network).frozen('weights');
  weights.flat.values.write(new Map([...tensors].map(([name, tensor]) => [name, toFloat32(tensor)])));
  return { config, network, weights, workspace };
}
