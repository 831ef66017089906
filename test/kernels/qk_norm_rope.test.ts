import { describe, expect, it } from 'vitest';
import { chooseAffineChunk, qkNormAffineBackward, qkNormRope } from '../../src/kernels/qk_norm_rope.ts';
import { qkNormRopeCases } from '../catalogue/qk_norm_rope.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('qk_norm_rope', qkNormRopeCases);

describe('q/k norm and rotation checks', () => {
  const dims = { batch: 1, n: 4, heads: 2, head_dim: 8, eps: 1e-6 };

  it('rejects rotary positions over an odd head', async () => {
    const kernel = qkNormRope.prepare(await testDevice(), { norm: 'none', rope: true });
    expect(() => kernel.bind({} as never, { ...dims, head_dim: 41 })).toThrow('head_dim 41 is odd');
  });

  it('rejects chunks without a row', async () => {
    const kernel = qkNormAffineBackward.prepare(await testDevice(), { norm: 'rms' });
    expect(() => kernel.bind({} as never, { ...dims, chunk_rows: 0 })).toThrow('chunk_rows is 0');
  });

  it('chooses chunks of rows for the affine gradients that fill a GPU, and cover every row once', () => {
    expect(chooseAffineChunk(1, 64)).toBe(1);
    expect(chooseAffineChunk(64, 64)).toBe(64);
    expect(chooseAffineChunk(0, 64)).toBe(1);
    const rows = 256 * 256 * 16; // B 256, N 256, 16 heads of 72
    const chunks = Math.ceil(rows / chooseAffineChunk(rows, 72));
    expect(chunks * 2 * 72).toBeGreaterThan(130_000);
    expect(chunks).toBeLessThan(1000);
  });
});
