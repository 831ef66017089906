import { describe, expect, it } from 'vitest';
import { type AttentionTile, attention, attentionDims } from '../../src/kernels/attention.ts';
import { ATTENTION_KERNELS, attentionCases, SMALL_TILE } from '../catalogue/attention.ts';
import { attentionCase } from '../catalogue/attention_case.ts';
import { outputsOf } from '../catalogue/run.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('attention', attentionCases);

describe('attention checks', () => {
  const dims = attentionDims({ batch: 1, heads: 2, n: 4, head_dim: 8 });

  it.each([
    ['a head_dim other than the kernel was made for', { head_dim: 16 }, "head_dim 16 is not the kernel's 8"],
    ['a sequence without a token', { n: 0 }, 'n is 0'],
    ['a sequence without a key', { keys: 0 }, 'keys is 0'],
    [
      'fewer key heads where none are shared',
      { kv_heads: 1 },
      'kv_heads is 1 of 2 heads. Fix: create the kernel with grouped',
    ],
    ['key heads that the heads do not share evenly', { heads: 3, kv_heads: 2 }, '3 heads do not share 2'],
    ['a mask of some other size', { mask_heads: 3 }, 'mask_heads is 3. Fix: give mask_heads 1 or 2'],
    ['a soft cap of nothing', { softcap: 0 }, 'softcap is 0'],
  ])('rejects %s', async (_, wrong, message) => {
    const kernel = attention.prepare(await testDevice(), { headDim: 8, mask: 'added', softcap: true });
    expect(() => kernel.bind({} as never, { ...dims, softcap: 1, ...wrong })).toThrow(message);
  });
});

// Where a query does not see a key, nothing that either holds reaches the other: not in the forward, not in the backward.
describe.each([
  ['plain', { rows: 8, each: 4, keys: 2, rolled: true }],
  ['tiled', SMALL_TILE],
] as [string, AttentionTile][])('a NaN behind a mask, %s', (_, tile) => {
  const [n, dim, at] = [41, 8, 23];

  it.each(ATTENTION_KERNELS)('of %s, goes where it is seen and no further', async (kernel) => {
    const device = await testDevice();
    const run = attentionCase(kernel, [1, 1, n, dim], { causal: 'start', tile }).prepare(device);
    const spoilt = (names: readonly string[], value: number) =>
      Object.fromEntries(
        Object.entries(run.inputs).map(([name, data]) => {
          const own = data.slice();
          if (names.includes(name)) own.fill(value, (own.length / n) * at, (own.length / n) * (at + 1));
          return [name, own];
        }),
      );
    // A key for the queries, a query for the keys.
    const inputs = kernel === 'attentionBackwardKV' ? ['q', 'dout', 'rows'] : ['k', 'v'];
    const clean = await outputsOf(device, run, run.inputs);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const found = await outputsOf(device, run, spoilt(inputs, value));
      for (const [name, numbers] of found) {
        const width = numbers.length / n;
        for (let row = 0; row < n; row++) {
          const sees = kernel === 'attentionBackwardKV' ? at >= row : row >= at;
          const own = numbers.subarray(row * width, (row + 1) * width);
          if (!sees) expect(own, `${name} ${row}`).toEqual(clean.get(name)?.subarray(row * width, (row + 1) * width));
          else if (Number.isNaN(value)) expect([...own].every(Number.isNaN), `${name} ${row}`).toBe(true);
        }
      }
    }
  });
});
