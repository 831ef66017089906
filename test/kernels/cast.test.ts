import { describe, expect, it } from 'vitest';
import { cast } from '../../src/kernels/cast.ts';
import { castCases } from '../catalogue/cast.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('cast', castCases);

describe('cast checks', () => {
  it('refuses vectors of a count that they do not divide', async () => {
    const kernel = cast.prepare(await testDevice(), { vec: true });
    expect(() => kernel.bind({} as never, { count: 6 })).toThrow('count is 6');
  });
});
