import { describe, expect, it } from 'vitest';
import { patchify } from '../../src/kernels/patch.ts';
import { patchCases, resizeCases } from '../catalogue/patch.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('patch', patchCases, { exact: true });
kernelSuite('resize', resizeCases, { exact: true });

describe('patch checks', () => {
  it('refuses patches that do not divide the image', async () => {
    const kernel = patchify.prepare(await testDevice(), { order: 'chw' });
    const dims = { batch: 1, channels: 1, height: 28, width: 28, patch_size: 8 };
    expect(() => kernel.bind({} as never, dims)).toThrow('patch 8 does not divide 28 x 28');
  });
});
