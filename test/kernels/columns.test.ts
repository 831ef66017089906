import { describe, expect, it } from 'vitest';
import { copyColumns } from '../../src/kernels/columns.ts';
import { columnsCases } from '../catalogue/columns.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('columns', columnsCases, { exact: true });

describe('columns checks', () => {
  it('refuses columns past the end of either matrix', async () => {
    const kernel = copyColumns.prepare(await testDevice());
    const dims = { rows: 2, cols: 3, from_stride: 3, from_offset: 0, to_stride: 5, to_offset: 3 };
    expect(() => kernel.bind({} as never, dims)).toThrow('3 columns from 0 of 3 to 3 of 5');
    expect(() => kernel.bind({} as never, { ...dims, to_offset: 0, from_offset: 1 })).toThrow('from 1 of 3');
  });
});
