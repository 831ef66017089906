import { describe } from 'vitest';
import { emulatedCases, matrixCases } from '../catalogue/matmul_matrix.ts';
import { openDevice } from '../gpu.ts';
import { kernelSuite } from '../kernels/suite.ts';
import { emulatedMatmul } from './emulated.ts';

kernelSuite('matrixMatmul', matrixCases);

describe('with subgroup matrices emulated', () => {
  // More workgroup memory than WebGPU's default, as a device with subgroup matrices has it.
  let device: Promise<GPUDevice> | undefined;
  const deviceOf = () => (device ??= openDevice({}));
  kernelSuite('matrixMatmul', emulatedCases(emulatedMatmul), { deviceOf });
});
