import { describe, expect, it } from 'vitest';
import { readBuffer } from '../../src/device/index.ts';
import { type BufferLike, KernelError } from '../../src/kernel/index.ts';
import { adamStep, clipScale, ema, gradStats, gradStatsGroups } from '../../src/kernels/optimizer.ts';
import { adamHyper } from '../../src/optim/hyper.ts';
import { TensorError } from '../../src/tensor/index.ts';
import { optimizerCases } from '../catalogue/optimizer.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('optimizer', optimizerCases);

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

async function upload(data: Float32Array<ArrayBuffer>): Promise<GPUBuffer> {
  const device = await testDevice();
  const buffer = device.createBuffer({ size: Math.ceil(data.byteLength / 16) * 16, usage: 0x80 | 0x4 | 0x8 });
  device.queue.writeBuffer(buffer, 0, data);
  return buffer;
}

/** Norm, scale and count that gradients come to under a limit, through both kernels. */
async function clipped(gradients: Float32Array<ArrayBuffer>[], maxNorm: number): Promise<number[]> {
  const device = await testDevice();
  const [stats, scale] = await Promise.all([gradStats.create(device), clipScale.create(device)]);
  const groups = gradients.map((g) => gradStatsGroups(g.length));
  const total = groups.reduce((a, b) => a + b, 0);
  const partial = await upload(new Float32Array(total * 2).fill(nan));
  const limits = await upload(new Float32Array([maxNorm, 0]));
  const clip = await upload(new Float32Array(4).fill(nan));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  let partial_offset = 0;
  for (const [i, g] of gradients.entries()) {
    stats.encode(pass, stats.bind({ grad: await upload(g), partial }, { count: g.length, partial_offset }));
    partial_offset += groups[i] as number;
  }
  scale.encode(pass, scale.bind({ partial, limits, clip }, { groups: total }));
  pass.end();
  device.queue.submit([encoder.finish()]);
  return [...new Float32Array(await readBuffer(device, clip))];
}

describe('clipping', () => {
  it('takes the norm over several buffers', async () => {
    const [scale, norm, broken] = await clipped([new Float32Array(10000).fill(0.3), new Float32Array([40])], 5);
    expect(norm).toBeCloseTo(50, 3);
    expect(scale).toBeCloseTo(0.1, 6);
    expect(broken).toBe(0);
  });

  for (const [name, value] of Object.entries({ NaN: nan, Infinity: infinity, '-Infinity': -infinity })) {
    it(`makes all gradients 0 where one is ${name}, and counts it`, async () => {
      const grad = new Float32Array(5003).fill(1);
      grad[4999] = value;
      const [scale, norm, broken] = await clipped([grad, new Float32Array([1, value])], 1);
      expect(scale).toBe(0);
      expect(Number.isFinite(norm)).toBe(false);
      expect(broken).toBe(2);
    });
  }

  it('makes them 0 where the squares overflow, as a norm that is not finite does', async () => {
    const [scale, norm, broken] = await clipped([new Float32Array([1e30, 1])], 1);
    expect([scale, broken]).toEqual([0, 0]);
    expect(norm).toBe(infinity);
  });

  it('without a limit keeps the scale 1, broken gradients or not', async () => {
    const [scale, norm, broken] = await clipped([new Float32Array([3, 4])], 0);
    expect([scale, norm, broken]).toEqual([1, 5, 0]);
    expect((await clipped([new Float32Array([3, nan])], 0))[0]).toBe(1);
  });
});

describe('optimizer kernels', () => {
  async function averaged(decay: number, old: number[], param: number[]): Promise<Float32Array> {
    const device = await testDevice();
    const kernel = await ema.create(device);
    const average = await upload(new Float32Array(old));
    const buffers = {
      average,
      param: await upload(new Float32Array(param)),
      decay: await upload(new Float32Array([decay])),
    };
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    kernel.encode(pass, kernel.bind(buffers, { count: old.length }));
    pass.end();
    device.queue.submit([encoder.finish()]);
    return new Float32Array(await readBuffer(device, average)).slice(0, old.length);
  }

  it('ema copies exactly with decay 0, and leaves equal numbers as they are', async () => {
    const [old, param] = [
      [1e20, 1, -3, 0.1],
      [1e-20, 1 / 3, 7.7, 0.3],
    ];
    expect(await averaged(0, old, param)).toEqual(new Float32Array(param));
    expect(await averaged(0.9999, param, param)).toEqual(new Float32Array(param));
    expect(await averaged(1, old, param)).toEqual(new Float32Array(old));
  });

  it('refuses bias corrections of a step before the first', () => {
    expect(() => adamHyper('Adam', { lr: 1, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0 }, 0)).toThrow(
      TensorError,
    );
  });

  it('refuses a flat buffer that ends within a vec4', async () => {
    const device = await testDevice();
    const kernel = await adamStep.create(device);
    const make = (size: number) => device.createBuffer({ size, usage: 0x80 });
    const [grad, m, v, hyper, clip] = [32, 32, 32, 36, 16].map(make) as [
      GPUBuffer,
      GPUBuffer,
      GPUBuffer,
      GPUBuffer,
      GPUBuffer,
    ];
    const bind = (param: BufferLike) => kernel.bind({ param, grad, m, v, hyper, clip }, { count: 5, tensors: 0 });
    expect(() => bind(make(20))).toThrow(KernelError);
    expect(() => bind(make(32))).not.toThrow();
  });
});
