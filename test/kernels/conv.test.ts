import { describe, expect, it } from 'vitest';
import { conv2d, conv2dBackwardWeight, convDims } from '../../src/kernels/conv.ts';
import { convCases } from '../catalogue/conv.ts';
import { conv2dFinishCases } from '../catalogue/conv_finish.ts';
import { convHalvesCases } from '../catalogue/conv_matrix.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('conv', [...convCases, ...convHalvesCases, ...conv2dFinishCases]);

describe('conv2d checks', () => {
  const sizes = { batch: 1, height: 4, width: 6, channels: 6, out_channels: 4, kernel: [3, 3] as const };
  const { forward, input, weight } = convDims({ ...sizes, stride: 2 });
  const plain = { kind: 'plain', tm: 4, tn: 4, wgX: 1, wgY: 1 } as const;

  it('refuses a stride that the variant does not know', async () => {
    const kernel = conv2d.prepare(await testDevice(), { transposed: true, tile: plain });
    expect(() => kernel.bind({} as never, input)).toThrow('stride is 2');
  });
  it('refuses channels that do not lie in fours', async () => {
    const kernel = conv2d.prepare(await testDevice(), { tile: { ...plain, vec: true } });
    expect(() => kernel.bind({} as never, forward)).toThrow('no multiple of 4');
  });
  it('refuses a doubled image of odd height', async () => {
    const kernel = conv2d.prepare(await testDevice(), { doubled: true, tile: plain });
    expect(() => kernel.bind({} as never, { ...forward, height: 5 })).toThrow('no image that was doubled');
  });
  it('refuses images too large for its packed places', async () => {
    const kernel = conv2dBackwardWeight.prepare(await testDevice(), { tile: plain });
    expect(() => kernel.bind({} as never, { ...weight, width: 20000 })).toThrow('give 16383 at most');
  });
  it('refuses a window that is no rows of taps', async () => {
    const kernel = conv2d.prepare(await testDevice(), { tile: plain });
    expect(() => kernel.bind({} as never, { ...forward, k: 53 })).toThrow('a window of 53 numbers');
  });
});
