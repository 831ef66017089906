import { inject } from 'vitest';
import { parseSafetensors, toFloat32 } from '../../src/io/safetensors.ts';
import type { HostWeights } from '../../src/models/features/small_cnn.ts';
import { readBytes } from './fixtures.ts';

/** taef2's weights, of the package of weights. */
export async function taef2Weights(): Promise<Map<string, HostWeights>> {
  const path = `${inject('chosenFixtures')}/../../models/taef2.safetensors`;
  const { tensors } = parseSafetensors(await readBytes(path), path);
  return new Map([...tensors].map(([name, tensor]) => [name, { shape: tensor.shape, data: toFloat32(tensor) }]));
}
