import { describe, expect, it } from 'vitest';
import { pool, windowDims } from '../../src/kernels/window.ts';
import { windowCases } from '../catalogue/window.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('window', windowCases);

describe('window checks', () => {
  const good = { batch: 1, height: 4, width: 4, channels: 1, kernel_h: 3, kernel_w: 3, stride: 1, pad_h: 1, pad_w: 1 };
  const cases: [string, object, string][] = [
    ['a window larger than the image', { height: 1, pad_h: 0 }, 'does not fit an image of 1 x 4'],
    ['a window that can lie in the padding', { pad_w: 3 }, 'can lie outside the image'],
    ['no stride', { stride: 0, out_h: 1, out_w: 1 }, 'does not move'],
  ];
  for (const [name, wrong, message] of cases)
    it(`refuses ${name}`, async () => {
      const kernel = pool.prepare(await testDevice(), { kind: 'max' });
      expect(() => kernel.bind({} as never, { ...windowDims({ ...good, ...wrong }), ...wrong })).toThrow(message);
    });
  it('refuses outputs that do not follow from the sizes', async () => {
    const kernel = pool.prepare(await testDevice(), { kind: 'max' });
    expect(() => kernel.bind({} as never, { ...windowDims(good), out_w: 5 })).toThrow('makes 4 x 4 outputs, not 4 x 5');
  });
});
