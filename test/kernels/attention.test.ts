import { describe, expect, it } from 'vitest';
import { attention } from '../../src/kernels/attention.ts';
import { attentionCases } from '../catalogue/attention.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('attention', attentionCases);

describe('attention checks', () => {
  const dims = { batch: 1, heads: 2, n: 4, head_dim: 8, scale: 1 };

  it('rejects a head_dim other than the kernel was made for', async () => {
    const kernel = attention.prepare(await testDevice(), { headDim: 16 });
    expect(() => kernel.bind({} as never, dims)).toThrow("head_dim 8 is not the kernel's 16");
  });

  it('rejects a sequence without a token', async () => {
    const kernel = attention.prepare(await testDevice(), { headDim: 8 });
    expect(() => kernel.bind({} as never, { ...dims, n: 0 })).toThrow('n is 0');
  });
});
