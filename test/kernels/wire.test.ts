import { describe, expect, it } from 'vitest';
import { wireMean, wirePack, wireSum } from '../../src/kernels/wire.ts';
import { wireCases } from '../catalogue/wire.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('wire', wireCases);

describe('wire checks', () => {
  it('refuses sizes that are no vectors of four', async () => {
    const device = await testDevice();
    expect(() => wirePack.prepare(device).bind({} as never, { count: 6 })).toThrow('count is 6');
    expect(() => wireSum.prepare(device, { bf16: false }).bind({} as never, { ranks: 2, words: 2 })).toThrow(
      'words is 2',
    );
  });

  it('refuses a third rank, and half a word', async () => {
    const mean = wireMean.prepare(await testDevice(), { bf16: true });
    expect(() => mean.bind({} as never, { count: 4, rank: 2 })).toThrow('rank is 2');
    expect(() => mean.bind({} as never, { count: 3, rank: 1 })).toThrow('count is 3');
  });
});
