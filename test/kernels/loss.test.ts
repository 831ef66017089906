import { describe, expect, it } from 'vitest';
import { lossForward, lossTotal } from '../../src/kernels/loss.ts';
import { lossCases } from '../catalogue/loss.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('loss', lossCases);

describe('loss checks', () => {
  it('refuses samples without elements', async () => {
    const kernel = lossForward.prepare(await testDevice(), { cosine: false });
    expect(() => kernel.bind({} as never, { batch: 2, channels: 3, pixels: 0, c: 0 })).toThrow('a sample is empty');
  });

  it('refuses a slot past the totals', async () => {
    const kernel = lossTotal.prepare(await testDevice());
    expect(() => kernel.bind({} as never, { batch: 2, slot: 3, slots: 3 })).toThrow('slot 3 of 3');
  });
});
