/** Into how many parts of k an H100 cuts convolutions on subgroup matrices. */
import { describe, expect, it } from 'vitest';
import { type Caps, PORTABLE } from '../../src/kernel/index.ts';
import { type ConvSizes, convDims } from '../../src/kernels/conv.ts';
import { chooseMatrixConv } from '../../src/kernels/conv_matrix.ts';
import { images } from '../catalogue/conv_shapes.ts';
import { testDevice } from '../gpu.ts';
import { emulatedConv } from './emulated.ts';

const H100: Caps = {
  ...PORTABLE,
  ...{ f16: true, vendor: 'nvidia', architecture: 'hopper', maxWorkgroupMemory: 49152, maxBinding: 2 ** 31 },
  subgroups: { least: 32, most: 32 },
  matrices: [{ components: 'f16', result: 'f32', m: 16, n: 16, k: 16 }],
};

const shapeOf = (...sizes: Parameters<typeof images>) =>
  convDims({ ...images(...sizes), kernel: [3, 3], padding: [1, 1, 1, 1] } satisfies ConvSizes).forward;
const splitsOf = (...sizes: Parameters<typeof images>) => chooseMatrixConv(shapeOf(...sizes), H100)?.splits;

describe('k of a convolution', () => {
  it('is cut where there are few tiles and many steps', () => {
    expect(splitsOf(16, 8, 8, 768, 768)).toBeGreaterThan(1);
    expect(splitsOf(16, 16, 16, 576, 576)).toBeGreaterThan(1);
    expect(splitsOf(1, 64, 64, 512, 512)).toBeGreaterThan(1);
  });

  it('is whole where tiles fill the device', () => {
    expect(splitsOf(64, 32, 32, 256, 256)).toBe(1);
    expect(splitsOf(64, 16, 16, 512, 256)).toBe(1);
    expect(splitsOf(1, 128, 128, 512, 256)).toBe(1);
    expect(splitsOf(1, 256, 256, 256, 128)).toBe(1);
    expect(splitsOf(16, 64, 64, 192, 192)).toBe(1);
  });

  it('is whole where nobody adds up parts', () => {
    expect(chooseMatrixConv({ ...shapeOf(16, 8, 8, 768, 768), split: false }, H100)?.splits).toBe(1);
  });

  it('is cut for the length of its sums, but not where parts would take more than 64 MiB', () => {
    expect(splitsOf(1, 32, 32, 1024, 512)).toBeGreaterThan(1);
    expect(splitsOf(1, 512, 512, 1024, 512)).toBe(1);
    const small = { ...H100, maxBinding: 4 * 1024 * 768 * 2 };
    expect(chooseMatrixConv(shapeOf(16, 8, 8, 768, 768), small)?.splits).toBe(2);
  });

  it('is cut without an epilogue, which is the second pass', async () => {
    const device = await testDevice();
    const tile = { tm: 2, tn: 2, splits: 2 } as const;
    expect(() => emulatedConv.prepare(device, { tile, bias: true })).toThrow('bias with a tile of 2 splits');
    expect(() => emulatedConv.prepare(device, { tile, act: 'silu' })).toThrow('give it to conv2dFinish');
  });
});
