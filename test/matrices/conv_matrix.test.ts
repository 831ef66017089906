import { describe } from 'vitest';
import { emulatedConvCases, matrixConvCases } from '../catalogue/conv_matrix.ts';
import { openDevice } from '../gpu.ts';
import { kernelSuite } from '../kernels/suite.ts';
import { emulatedConv, emulatedConvWeight } from './emulated.ts';

kernelSuite('matrixConv2d', matrixConvCases);

describe('with subgroup matrices emulated', () => {
  // More workgroup memory than WebGPU's default, as a device with subgroup matrices has it.
  let device: Promise<GPUDevice> | undefined;
  const deviceOf = () => (device ??= openDevice({}));
  const cases = emulatedConvCases({ conv: emulatedConv, weight: emulatedConvWeight });
  kernelSuite('matrixConv2d', cases, { deviceOf });
});
