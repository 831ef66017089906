import { describe, expect, it } from 'vitest';
import { PORTABLE } from '../../src/kernel/index.ts';
import {
  fusesNormBackward,
  normBackward,
  normBackwardModulation,
  normBackwardWeight,
  normBackwardX,
} from '../../src/kernels/norm_backward.ts';
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
    const all = normBackward.prepare(device, { kind: 'layer', shift: true });
    expect(() => all.bind({} as never, { ...dims, shift_offset: 7 })).toThrow('overlap');
    expect(() => all.bind({} as never, { ...dims, shift_offset: 9 })).toThrow('past mod_stride 16');
    expect(() => all.bind({} as never, { ...dims, cols: 65, mod_stride: 130, shift_offset: 65 })).toThrow('up to 64');
    const weight = normBackwardWeight.prepare(device, { kind: 'rms' });
    expect(() => weight.bind({} as never, { rows: 4, cols: 8, chunk_rows: 0 })).toThrow('chunk_rows is 0');
  });

  it('takes all gradients at once where rows and those of a modulation row are few, on a GPU', () => {
    const gpu = { ...PORTABLE, software: false };
    const fuses = (cols: number, mod_rows: number) => fusesNormBackward({ cols, mod_rows }, gpu);
    expect([fuses(128, 49), fuses(192, 64), fuses(320, 32), fuses(384, 32)]).toEqual([true, true, true, true]);
    expect([fuses(128, 65), fuses(384, 33), fuses(1152, 256), fuses(9000, 1)]).toEqual([false, false, false, false]);
    expect(fusesNormBackward({ cols: 128, mod_rows: 49 }, { ...gpu, software: true })).toBe(false);
  });
});
