import { describe } from 'vitest';
import { emulatedAttentionCases, matrixAttentionCases } from '../catalogue/attention_matrix.ts';
import { openDevice } from '../gpu.ts';
import { kernelSuite } from '../kernels/suite.ts';
import { emulatedAttention } from './emulated.ts';

kernelSuite('attention on matrices', matrixAttentionCases);

describe('with subgroup matrices emulated', () => {
  // More workgroup memory than WebGPU's default, as a device with subgroup matrices has it.
  let device: Promise<GPUDevice> | undefined;
  const deviceOf = () => (device ??= openDevice({}));
  kernelSuite('attention on matrices', emulatedAttentionCases(emulatedAttention), { deviceOf });
});
