import type { Caps } from '../kernel/index.ts';
import { MATRIX_FEATURE, rememberTuning } from '../kernel/index.ts';

/** Storage buffers of a kernel and other limits that `Caps` does not name: WebGPU's defaults. */
const DEFAULTS = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupSizeZ: 64,
  minStorageBufferOffsetAlignment: 256,
  minUniformBufferOffsetAlignment: 256,
};

/**
 * What stands for a device of these capabilities where a kernel is chosen and nothing runs: it compiles nothing, and makes no buffer. The
 * choice reads the same of it as of a device (`capsOf`).
 */
export function paperDevice(caps: Caps): GPUDevice {
  const features = new Set<string>();
  if (caps.timestamps) features.add('timestamp-query');
  if (caps.f16) features.add('shader-f16');
  if (caps.subgroups.most > 0) features.add('subgroups');
  if (caps.matrices.length > 0) features.add(MATRIX_FEATURE);
  const device = {
    features,
    limits: {
      ...DEFAULTS,
      maxComputeInvocationsPerWorkgroup: caps.maxWorkgroupSize,
      maxComputeWorkgroupSizeX: caps.maxWorkgroupSize,
      maxComputeWorkgroupSizeY: caps.maxWorkgroupSize,
      maxComputeWorkgroupStorageSize: caps.maxWorkgroupMemory,
      maxComputeWorkgroupsPerDimension: caps.maxGroups,
      maxStorageBufferBindingSize: caps.maxBinding,
    },
    adapterInfo: {
      vendor: caps.vendor,
      architecture: caps.architecture,
      description: caps.software ? 'software' : '',
      subgroupMinSize: caps.subgroups.least,
      subgroupMaxSize: caps.subgroups.most,
      subgroupMatrixConfigs: caps.matrices.map(({ components, result, m, n, k }) => ({
        ...{ componentType: components, resultComponentType: result },
        ...{ M: m, N: n, K: k },
      })),
    },
    lost: new Promise(() => {}),
    pushErrorScope: () => {},
    popErrorScope: async () => null,
    createShaderModule: () => ({}),
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createComputePipelineAsync: async () => ({}),
  } as unknown as GPUDevice;
  if (caps.tuned) rememberTuning(device, caps.tuned);
  return device;
}
