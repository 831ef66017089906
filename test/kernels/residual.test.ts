import { describe, expect, it } from 'vitest';
import { gatedResidual } from '../../src/kernels/residual.ts';
import { residualCases } from '../catalogue/residual.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('residual', residualCases);

describe('gated residual checks', () => {
  it('rejects a gate that reaches past its row of the modulation', async () => {
    const kernel = gatedResidual.prepare(await testDevice());
    const dims = { rows: 4, cols: 8, mod_rows: 4, mod_stride: 16, gate_offset: 9 };
    expect(() => kernel.bind({} as never, dims)).toThrow('gate columns end at 17, past mod_stride 16');
  });
});
