/** The ceiling of products on subgroup matrices: its sums, emulated, and what is held against it. */
import { expect, it } from 'vitest';
import { ceilingCases, highest, matrixTotal, multiplyCeiling } from '../../bench/ceilings.ts';
import { readBuffer } from '../../src/device/index.ts';
import { openDevice } from '../gpu.ts';
import { emulatedCeiling } from './emulated.ts';

it('sums what it says, every invocation of every workgroup', async () => {
  const device = await openDevice({});
  const way = { tm: 2, tn: 2 } as const;
  const kernel = await emulatedCeiling.create(device, way);
  const count = 2 * 128 - 1;
  const y = device.createBuffer({ size: 4 * count, usage: 0x80 | 0x4 });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  kernel.encode(pass, kernel.bind({ y }, { count, rounds: 3 }));
  pass.end();
  device.queue.submit([encoder.finish()]);
  const totals = new Float32Array(await readBuffer(device, y));
  expect([...new Set(totals)]).toEqual([16 * 3 * (1 + 2) * (1 + 2)]);
  expect(matrixTotal(way, 3)).toBe(totals[0]);
  expect(matrixTotal({ tm: 2, tn: 4 }, 5)).toBe(16 * 5 * 3 * 10);
  device.destroy();
});

it('is measured in f16 where the device has it, and right', async () => {
  const device = await openDevice({});
  const cases = ceilingCases(device, true);
  const f16 = [...cases.keys()].filter((name) => name.endsWith(' f16'));
  expect(f16).toHaveLength(device.features.has('shader-f16') ? 1 : 0);
  const results = await Promise.all(f16.map((name) => cases.get(name)?.()));
  for (const result of results) {
    expect(result).toMatchObject({ kernel: 'ceiling_fma', dtype: 'f16', maxRelErr: 0 });
    expect(result?.tflops).toBeGreaterThan(0);
  }
  device.destroy();
});

const result = (kernel: string, dtype: 'f32' | 'f16', tflops: number, gbps = 1) => ({
  ...{ case: kernel, kernel, variant: 'default', dtype, shape: [1], ms: 1, p10: 1, p90: 1 },
  ...{ flops: 1, bytes: 1, tflops, gbps, maxRelErr: 0 },
});

it('is what products on matrices are held against, f32x3 a third of it', () => {
  const f32 = [
    result('ceiling_copy', 'f32', 0, 2000),
    result('ceiling_fma', 'f32', 50),
    result('ceiling_fma', 'f32', 60),
  ];
  expect(highest(f32)).toEqual({ gbps: 2000, tflops: 60 });
  const all = highest([...f32, result('ceiling_fma', 'f16', 110), result('ceiling_matrices', 'f16', 600)]);
  expect(all).toEqual({ gbps: 2000, tflops: 60, f16Tflops: 110, matrixTflops: 600 });
  const held = [
    'matmul_tiled',
    'matmul_matrix',
    'attention_matrix_fwd',
    'conv2d_bwd_weight_matrix',
    'matmul_f32x3',
    'norm_fwd',
  ];
  expect(held.map((kernel) => multiplyCeiling(kernel, all))).toEqual([60, 600, 600, 600, 200, 60]);
  expect(multiplyCeiling('matmul_matrix', highest(f32))).toBe(60);
});
