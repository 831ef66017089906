import { describe, expect, it } from 'vitest';
import { normBackwardModulation, normBackwardWeight, normBackwardX } from '../../src/kernels/norm_backward.ts';
import { normBackwardCases } from '../catalogue/norm_backward.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('norm backward', normBackwardCases);

describe('norm backward checks', () => {
  const dims = { rows: 4, cols: 8, mod_rows: 4, mod_stride: 16, scale_offset: 0 };

  it('rejects columns past mod_stride, overlapping columns, and chunks of no rows', async () => {
    const device = await testDevice();
    const x = normBackwardX.prepare(device, { kind: 'layer', scale: true });
    expect(() => x.bind({} as never, { ...dims, mod_stride: 7 })).toThrow('past mod_stride 7');
    expect(() => x.bind({} as never, { ...dims, mod_rows: 0 })).toThrow('mod_rows is 0');
    const modulation = normBackwardModulation.prepare(device, { kind: 'layer', scale: true, shift: true });
    expect(() => modulation.bind({} as never, { ...dims, shift_offset: 7 })).toThrow('overlap');
    const weight = normBackwardWeight.prepare(device, { kind: 'rms' });
    expect(() => weight.bind({} as never, { rows: 4, cols: 8, chunk_rows: 0 })).toThrow('chunk_rows is 0');
  });
});
