/** What a device can do, as far as the choice of a kernel variant depends on it. */
export interface Caps {
  readonly timestamps: boolean;
  /** A CPU pretending to be a GPU (llvmpipe, SwiftShader): barriers and workgroup memory cost more than they save there. */
  readonly software: boolean;
  readonly maxWorkgroupSize: number;
  readonly maxWorkgroupMemory: number;
  readonly maxGroups: number;
  readonly maxBinding: number;
}

/** Reads the capabilities of a device from its features, limits and adapter info. */
export function capsOf(device: GPUDevice): Caps {
  const info = device.adapterInfo;
  const words = `${info?.vendor} ${info?.architecture} ${info?.device} ${info?.description}`.toLowerCase();
  return {
    timestamps: device.features.has('timestamp-query'),
    software: /llvmpipe|lavapipe|swiftshader|software|basic render/.test(words),
    maxWorkgroupSize: device.limits.maxComputeInvocationsPerWorkgroup,
    maxWorkgroupMemory: device.limits.maxComputeWorkgroupStorageSize,
    maxGroups: device.limits.maxComputeWorkgroupsPerDimension,
    maxBinding: device.limits.maxStorageBufferBindingSize,
  };
}
