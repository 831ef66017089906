import { inject } from 'vitest';
import { type RawTensor, toFloat32 } from '../../src/io/safetensors.ts';
import { parseTorchCheckpoint } from '../../src/io/torch_checkpoint.ts';
import type { HostWeights } from '../../src/models/features/small_cnn.ts';
import { readBytes } from './fixtures.ts';

export async function taef2Weights(): Promise<Map<string, HostWeights>> {
  const weights = new Map<string, HostWeights>();
  for (const part of ['encoder', 'decoder']) {
    const path = `${inject('fixtures')}/../data/taef2/taef2_${part}.pth`;
    const tensors = parseTorchCheckpoint(await readBytes(path), path) as Map<string, RawTensor>;
    for (const [name, tensor] of tensors)
      weights.set(`${part}.${name}`, { shape: tensor.shape, data: toFloat32(tensor) });
  }
  return weights;
}
