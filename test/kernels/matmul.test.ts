import { describe, expect, it } from 'vitest';
import { capsOf, PORTABLE } from '../../src/kernel/index.ts';
import { chooseMatmul, matmul, sumsOnTheWay } from '../../src/kernels/matmul.ts';
import { matmulCases } from '../catalogue/matmul.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('matmul', matmulCases);

describe('matmul choice and checks', () => {
  it('takes large tiles for large products, small ones for small products', () => {
    expect(chooseMatmul({ m: 4096, n: 4096, k: 4096 }, PORTABLE)).toMatchObject({
      kind: 'tiled',
      qm: 2,
      qn: 2,
      splits: 1,
      kChunk: 4096,
    });
    expect(chooseMatmul({ m: 256, n: 256, k: 128 }, PORTABLE)).toMatchObject({
      kind: 'tiled',
      qm: 1,
      qn: 1,
      splits: 1,
    });
    expect(chooseMatmul({ m: 1568, n: 384, k: 128 }, { ...PORTABLE, software: true })).toMatchObject({
      kind: 'plain',
      tm: 16,
      tn: 16,
    });
  });

  it('gives a CPU adapter large tiles where a product is worth compiling them, though few workgroups result', () => {
    const software = { ...PORTABLE, software: true };
    expect(chooseMatmul({ m: 64, n: 64, k: 1568 }, software)).toMatchObject({ tm: 16, tn: 16, wgX: 2, wgY: 4 });
    expect(chooseMatmul({ m: 64, n: 64, k: 64 }, software)).toMatchObject({ tm: 8, tn: 8 });
    const swiftshader = { ...software, vendor: 'google', architecture: 'swiftshader' };
    expect(chooseMatmul({ m: 1568, n: 384, k: 128 }, swiftshader)).toMatchObject({ tm: 8, tn: 8, wgX: 8, wgY: 1 });
  });

  it('splits a tall product with a small output, in whole steps that cover k', () => {
    for (const k of [16384, 8191, 513, 128, 63]) {
      const { splits, kChunk } = chooseMatmul({ m: 192, n: 192, k }, PORTABLE);
      expect(splits > 1).toBe(k >= 512);
      expect(splits * kChunk).toBeGreaterThanOrEqual(k);
      expect((splits - 1) * kChunk).toBeLessThan(k);
      if (splits > 1) expect(kChunk % 16).toBe(0);
    }
    expect(chooseMatmul({ m: 192, n: 192, k: 16384, split: false }, PORTABLE)).toMatchObject({
      splits: 1,
      kChunk: 16384,
    });
  });

  it('sums the rows of A on the way with a small tile, and with a larger one where the product is small', () => {
    const takes = (q: 1 | 2, m: number, n: number) => sumsOnTheWay({ kind: 'tiled', qm: q, qn: q }, { m, n, k: 6272 });
    expect([takes(1, 688, 128), takes(1, 4096, 4096)]).toEqual([true, true]);
    expect([takes(2, 688, 128), takes(2, 1024, 192)]).toEqual([true, false]);
    expect(sumsOnTheWay({ kind: 'plain', tm: 8, tn: 8, wgX: 8, wgY: 1 }, { m: 8, n: 8, k: 8 })).toBe(false);
  });

  it('sums a long k in runs where it may not be split', () => {
    const shape = { m: 4096, n: 4096, split: false };
    expect(chooseMatmul({ ...shape, k: 8192 }, PORTABLE)).not.toHaveProperty('runs');
    expect(chooseMatmul({ ...shape, k: 8196 }, PORTABLE)).toMatchObject({ qm: 1, qn: 1, runs: true, splits: 1 });
    expect(chooseMatmul({ ...shape, k: 8196 }, { ...PORTABLE, software: true })).toMatchObject({ runs: true });
  });

  it('rejects a tile chosen for another shape, and a misaligned split', async () => {
    const device = await testDevice();
    const dims = {
      m: 8,
      n: 8,
      k: 64,
      k_chunk: 64,
    };
    const kernel = matmul.prepare(device, { layout: 'nn', tile: chooseMatmul({ m: 8, n: 8, k: 64 }, capsOf(device)) });
    expect(() => kernel.bind({} as never, { ...dims, n: 9 })).toThrow('n is 9');
    const tiled = matmul.prepare(device, {
      layout: 'nt',
      tile: { kind: 'tiled', qm: 1, qn: 1, vec: { m: true, n: true, k: true } },
    });
    expect(() => tiled.bind({} as never, { ...dims, k_chunk: 30 })).toThrow('k_chunk is 30');
  });
});
