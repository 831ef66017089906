import { describe, expect, it } from 'vitest';
import { capsOf, distrustMatrices, MATRIX_FEATURE, rememberAdapter } from '../../src/kernel/index.ts';
import { hasMatrices } from '../../src/kernels/matmul_matrix.ts';
import { compared, difference, rememberSelfTest, selfTest, tested } from '../../src/run/self_test.ts';
import { openDevice, testDevice } from '../gpu.ts';
import { emulatedAttention, emulatedConv, emulatedConvWeight, emulatedMatmul, spoiltMatmul } from './emulated.ts';

let device: Promise<GPUDevice> | undefined;
/** One with all its workgroup memory. */
const own = () => (device ??= openDevice({}));

describe('the self-test', () => {
  it('finds variants right that are', async () => {
    const tiles = [{ kind: 'matrix', tm: 2, tn: 2 }, { kind: 'f32x3' }] as const;
    const found = await compared(await own(), {
      matmul: emulatedMatmul as never,
      tiles,
      conv: { forward: emulatedConv, weight: emulatedConvWeight },
      attention: emulatedAttention,
      headDim: 24,
    });
    expect(found).toEqual({
      ran: ['matmul_matrix 2x2', 'matmul_f32x3', 'conv2d_matrix 2x2', 'attention_matrix'],
      wrong: [],
    });
  });

  it('finds one that is wrong, and one that does not run', async () => {
    const variants = { attention: undefined, conv: undefined, headDim: 24, matmul: spoiltMatmul as never };
    const { wrong } = await compared(await own(), {
      ...variants,
      tiles: [{ kind: 'matrix', tm: 2, tn: 2 }, { kind: 'f32x3' }],
    });
    expect(wrong).toHaveLength(2);
    expect(wrong[0]).toMatch(/^matmul_matrix 2x2 differs from the plain variant by 0\.\d+$/);
    expect(wrong[1]).toMatch(/does not compile/);
  });

  it('runs nothing on a device without experimental variants', async () => {
    const plain = await testDevice();
    if (plain.features.has(MATRIX_FEATURE)) return expect((await selfTest(plain)).wrong).toEqual([]);
    expect(await selfTest(plain)).toEqual({ ran: [], wrong: [] });
  });

  it('counts what is not finite as wrong', () => {
    expect(difference([1, Number.NaN], [1, 2])).toBe(Number.POSITIVE_INFINITY);
    expect(difference([0, 0], [0, 0])).toBe(0);
  });

  it('takes the matrices from a device that is distrusted', () => {
    const device = fake();
    expect(hasMatrices(capsOf(device))).toBe(true);
    distrustMatrices(device);
    expect(hasMatrices(capsOf(device))).toBe(false);
  });

  it('says once what it found, and not again what was found before', async () => {
    const said: string[] = [];
    const warn = (text: string) => void said.push(text);
    const device = fake(); // on which nothing compiles
    expect(await tested(device, warn)).toBe(device);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/^subgroup matrices are not used, since they are wrong on this adapter: /);
    expect(hasMatrices(capsOf(device))).toBe(false);
    await tested(device, warn);
    const known = fake();
    rememberSelfTest(known, { ran: [], wrong: ['x'] });
    await tested(known, warn);
    expect(said).toHaveLength(1);
  });
});

/** As much of a device with matrices as choices read. */
function fake(): GPUDevice {
  const configs = [{ componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 }];
  const features = new Set(['shader-f16', 'subgroups', MATRIX_FEATURE]);
  const limits = { maxComputeInvocationsPerWorkgroup: 256, maxComputeWorkgroupSizeX: 256 };
  const info = { subgroupMinSize: 32, subgroupMaxSize: 32 };
  const device = {
    features,
    adapterInfo: info,
    limits: { ...limits, maxComputeWorkgroupStorageSize: 49152 },
  } as unknown as GPUDevice;
  rememberAdapter(device, { ...info, subgroupMatrixConfigs: configs } as unknown as GPUAdapterInfo);
  return device;
}
