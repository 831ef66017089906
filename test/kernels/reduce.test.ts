import { describe, expect, it } from 'vitest';
import { chooseChunk, type SumColsOptions, sumCols } from '../../src/kernels/reduce.ts';
import { reduceCases } from '../catalogue/reduce.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('reduce', reduceCases);

describe('chooseChunk', () => {
  it('takes one pass over few rows, many chunks over many rows of few columns', () => {
    for (const rows of [1, 3, 41, 64]) expect(chooseChunk(rows, 384)).toBe(rows);
    expect(chooseChunk(16384, 2 ** 20)).toBe(16384); // the columns alone keep a GPU busy
    expect(chooseChunk(2 ** 20, 16)).toBe(2048);
    expect(chooseChunk(0, 3)).toBe(1);
  });

  it('gives chunks that cover the rows, none of them empty', () => {
    for (const rows of [65, 113, 257, 8191, 65539, 2 ** 31 - 1]) {
      for (const cols of [1, 3, 41, 1152]) {
        for (const dtype of ['f32', 'f16'] as const) {
          const chunk = chooseChunk(rows, cols, undefined, dtype);
          const chunks = Math.ceil(rows / chunk);
          expect(Number.isInteger(chunk) && chunk >= 1 && chunk <= rows).toBe(true);
          expect((chunks - 1) * chunk).toBeLessThan(rows);
        }
      }
    }
  });

  it('gives the invocations of a column of f16 four rows each, or a multiple', () => {
    const chunks = [384, 1152, 2048].map((cols) => chooseChunk(8192, cols, undefined, 'f16'));
    expect(chunks).toEqual([128, 256, 512]);
  });

  it('is of a kernel that reads eight halves at once, by the shape', async () => {
    const device = await testDevice();
    const width = (cols: number, options: SumColsOptions = {}) =>
      sumCols.prepare(device, { vec: true, ...options }, { cols }).knobs.WIDTH;
    if (!device.features.has('shader-f16')) return expect(() => width(24, { dtype: 'f16' })).toThrow('shader-f16');
    expect([width(24), width(24, { dtype: 'f16' }), width(28, { dtype: 'f16' })]).toEqual([4, 8, 4]);
    expect(() => sumCols.prepare(device, { vec: false, eights: true })).toThrow('eights without vec');
  });
});
