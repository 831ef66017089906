import { describe, expect, it } from 'vitest';
import { cast } from '../../src/kernels/cast.ts';
import { prepared } from '../catalogue/case.ts';
import { castCases } from '../catalogue/cast.ts';
import { outputsOf } from '../catalogue/run.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('cast', castCases);

describe('cast checks', () => {
  it('makes what is past the range of f16 infinite, by which mixed precision tells an overflow', async () => {
    const device = await testDevice();
    if (!device.features.has('shader-f16'))
      return expect(() => cast.prepare(device, { outDtype: 'f16' })).toThrow('shader-f16');
    const x = new Float32Array([65504, 1e5, -3e38, Number.NaN, Number.POSITIVE_INFINITY, 2 ** -24]);
    for (const vec of [false, true]) {
      const given = vec ? new Float32Array([...x, 1, 2]) : x;
      const count = given.length;
      const kernel = cast.prepare(device, { outDtype: 'f16', vec });
      const run = prepared(
        kernel,
        { count },
        { inputs: { x: given }, outputs: { out: count }, halves: ['out'], oracle: () => ({}) },
      );
      const { out } = Object.fromEntries(await outputsOf(device, run, { x: given }));
      const past = Number.POSITIVE_INFINITY;
      expect([...(out as Float32Array)].slice(0, 6)).toEqual([65504, past, -past, Number.NaN, past, 2 ** -24]);
    }
  });

  it('refuses vectors of a count that they do not divide', async () => {
    const kernel = cast.prepare(await testDevice(), { vec: true });
    expect(() => kernel.bind({} as never, { count: 6 })).toThrow('count is 6');
  });
});
