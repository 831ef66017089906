import { describe, expect, it } from 'vitest';
import { chooseChunk } from '../../src/kernels/reduce.ts';
import { reduceCases } from '../catalogue/reduce.ts';
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
        const chunk = chooseChunk(rows, cols);
        const chunks = Math.ceil(rows / chunk);
        expect(Number.isInteger(chunk) && chunk >= 1 && chunk <= rows).toBe(true);
        expect((chunks - 1) * chunk).toBeLessThan(rows);
      }
    }
  });
});
