import { describe, expect, it } from 'vitest';
import { lincomb } from '../../src/kernels/lincomb.ts';
import { lincombCases } from '../catalogue/lincomb.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('lincomb', lincombCases);

describe('lincomb checks', () => {
  it('refuses a batch of none', async () => {
    const kernel = lincomb.prepare(await testDevice(), { inputs: 1 });
    const offsets = { offset0: 0, offset1: 0, offset2: 0, offset3: 0, out_offset: 0 };
    const dims = { batch: 0, n: 4, coef_stride: 1, coef_offset: 0, ...offsets };
    expect(() => kernel.bind({} as never, dims)).toThrow('batch is 0');
  });
});
