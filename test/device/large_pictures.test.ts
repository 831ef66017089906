/**
 * Large pictures at WebGPU's default limits, recorded and not run: what a kernel cannot bind or dispatch is an error where it is recorded.
 * On Dawn's null adapter, which has the memory for none of this.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { create, globals } from 'webgpu';
import { Tape } from '../../src/autograd/tape.ts';
import type { Architecture } from '../../src/models/autoencoders/architecture.ts';
import { dcAutoencoder } from '../../src/models/autoencoders/dcae.ts';
import { DC_AE_IN, DC_AE_SANA } from '../../src/models/autoencoders/dcae_config.ts';
import { klAutoencoder } from '../../src/models/autoencoders/kl.ts';
import { SD_VAE, VA_VAE } from '../../src/models/autoencoders/kl_config.ts';
import { placedRows } from '../../src/models/autoencoders/place.ts';
import { taef2 } from '../../src/models/autoencoders/taef2.ts';
import type { Weights } from '../../src/nn/network.ts';
import { type Tensor, Workspace } from '../../src/tensor/index.ts';

const BINDING = 128 * 2 ** 20;

let gpu: GPU | undefined; // Dawn's, which lives as long as its devices
beforeAll(() => {
  Object.assign(globalThis, globals);
  gpu = create(['backend=null']);
});
afterAll(() => {
  gpu = undefined;
});

/** Weights without numbers: only their sizes matter here. */
function emptyWeights(workspace: Workspace, { tensors }: Architecture): Weights {
  const placed = new Map<string, Tensor>();
  for (const { name, shape } of [...placedRows(tensors, BINDING).values()].flat())
    placed.set(name, workspace.create('parameter', name, shape));
  return { get: (name) => placed.get(name) as Tensor, has: (name) => placed.has(name) };
}

/** The shape of what a way makes, and the bytes of the largest tensor on it. */
async function recorded(architecture: Architecture, way: 'encode' | 'decode', side: number) {
  const adapter = (await (gpu as GPU).requestAdapter()) as GPUAdapter;
  const device = await adapter.requestDevice();
  expect(device.limits.maxStorageBufferBindingSize).toBe(BINDING);
  for (const kind of ['validation', 'out-of-memory'] as const) device.pushErrorScope(kind); // for which there is no memory
  const workspace = new Workspace(device);
  const weights = emptyWeights(workspace, architecture);
  workspace.beginStep();
  let largest = 0;
  class Watched extends Tape {
    override alloc(...shape: number[]) {
      largest = Math.max(largest, 4 * shape.reduce((a, b) => a * b, 1));
      return super.alloc(...shape);
    }
  }
  const tape = new Watched(workspace, { record: false });
  const { latentChannels, downscale } = architecture;
  const small = side / downscale;
  const x = way === 'encode' ? tape.alloc(1, 3, side, side) : tape.alloc(1, latentChannels, small, small);
  const { shape } = architecture[way](tape, weights, x);
  const { bytes } = workspace.arena;
  device.destroy();
  return { shape, largest, bytes };
}

describe('no tensor is above 128 MiB', () => {
  const cases: [name: string, architecture: Architecture, side: number][] = [
    ['SD-VAE', klAutoencoder(SD_VAE), 512],
    ['SD-VAE', klAutoencoder(SD_VAE), 1024],
    ['VA-VAE', klAutoencoder(VA_VAE), 512],
    ["DC-AE in-1.0's form", dcAutoencoder(DC_AE_IN), 1024],
    ["DC-AE sana's form", dcAutoencoder(DC_AE_SANA), 1024],
    ['taef2', taef2, 512],
  ];
  it.each(cases)('%s, %#', async (name, architecture, side) => {
    for (const way of ['encode', 'decode'] as const) {
      const { shape, largest, bytes } = await recorded(architecture, way, side);
      const [most, all] = [largest, bytes].map((n) => (n / 2 ** 20).toFixed(0));
      console.log(`${name} ${way}s ${side}: step tensors of ${most} MiB, ${all} MiB in all`);
      expect(largest).toBeLessThanOrEqual(BINDING);
      expect(shape.slice(2)).toEqual(way === 'decode' ? [side, side] : Array(2).fill(side / architecture.downscale));
    }
  });
});
