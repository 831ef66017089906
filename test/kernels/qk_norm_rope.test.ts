import { describe, expect, it } from 'vitest';
import { qkNormAffineBackward, qkNormRope } from '../../src/kernels/qk_norm_rope.ts';
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
});
