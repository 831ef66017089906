/** What a device can do, as far as the choice of a kernel variant depends on it. */
export interface Caps {
  readonly timestamps: boolean;
  /** Storage and arithmetic of 16 bits. */
  readonly f16: boolean;
  /** Least and most invocations of a subgroup; 0 where the device has none. */
  readonly subgroups: { readonly least: number; readonly most: number };
  /** Products of tiles that a subgroup multiplies at once. */
  readonly matrices: readonly MatrixConfig[];
  /** As the adapter tells them, lower case: nvidia, hopper; empty where it does not. */
  readonly vendor: string;
  readonly architecture: string;
  /** A CPU pretending to be a GPU (llvmpipe, SwiftShader): barriers and workgroup memory cost more than they save there. */
  readonly software: boolean;
  /** Invocations of a workgroup, along x alone too. */
  readonly maxWorkgroupSize: number;
  readonly maxWorkgroupMemory: number;
  readonly maxGroups: number;
  readonly maxBinding: number;
  /** Measured on the device, in place of what is known of its architecture: see `rememberTuning`. */
  readonly tuned?: TunedNumbers;
}

/** Numbers that choices depend on, by their path in src/kernels/tuning_tile.ts: `attention.groups`, `product.tiles.1.rate`. */
export type TunedNumbers = Readonly<Record<string, number>>;

/** Invocations that a tile of lanes and rows may have: 256, or the greatest power of 2 that the device allows. */
export const tileSize = (caps: Caps): number => Math.min(256, 2 ** Math.floor(Math.log2(caps.maxWorkgroupSize)));

/** Types and sizes of one product of tiles: [m, k] times [k, n]. */
export interface MatrixConfig {
  readonly components: string;
  readonly result: string;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** A GPU at WebGPU's default limits without any optional feature: what every kernel has a variant for. */
export const PORTABLE: Caps = {
  timestamps: false,
  f16: false,
  subgroups: { least: 0, most: 0 },
  matrices: [],
  vendor: '',
  architecture: '',
  software: false,
  maxWorkgroupSize: 256,
  maxWorkgroupMemory: 16384,
  maxGroups: 65535,
  maxBinding: 2 ** 27,
};

/** The WebGPU feature of subgroup matrices; shaders/lib/subgroup_matrix.wgsl is where WGSL names it. */
export const MATRIX_FEATURE = 'chromium-experimental-subgroup-matrix';

/** What Dawn adds to an adapter's info. */
interface MatrixInfo {
  readonly subgroupMatrixConfigs?: Iterable<{
    componentType: string;
    resultComponentType: string;
    M: number;
    N: number;
    K: number;
  }>;
}

const adapters = new WeakMap<GPUDevice, GPUAdapterInfo>();

/**
 * Keeps what a device's adapter says of itself: Dawn (webgpu 0.6) lists an adapter's products of tiles there, and none in the device's own
 * adapterInfo. Without it a device has no subgroup matrices for `capsOf`.
 */
export function rememberAdapter(device: GPUDevice, info: GPUAdapterInfo): void {
  adapters.set(device, info);
}

const tunings = new WeakMap<GPUDevice, TunedNumbers>();

/** Numbers that were measured on a device: its choices take them from now on. To be called before its first kernel is prepared. */
export function rememberTuning(device: GPUDevice, tuned: TunedNumbers): void {
  tunings.set(device, tuned);
}

const distrusted = new WeakSet<GPUDevice>();

/** From now on a device counts as one without subgroup matrices. To be called before a kernel that uses them is chosen. */
export function distrustMatrices(device: GPUDevice): void {
  distrusted.add(device);
}

/** Reads the capabilities of a device from its features, limits and adapter info. */
export function capsOf(device: GPUDevice): Caps {
  const { limits, adapterInfo: info } = device;
  const words = `${info?.vendor} ${info?.architecture} ${info?.device} ${info?.description}`.toLowerCase();
  const has = (feature: string) => device.features.has(feature);
  const listed = (of: GPUAdapterInfo | undefined) => [...((of as MatrixInfo | undefined)?.subgroupMatrixConfigs ?? [])];
  const tuned = tunings.get(device);
  const known = has(MATRIX_FEATURE) && !distrusted.has(device) ? [info, adapters.get(device)].map(listed) : [];
  const configs = known.find((list) => list.length > 0) ?? [];
  return {
    timestamps: has('timestamp-query'),
    f16: has('shader-f16'),
    subgroups: has('subgroups')
      ? { least: info?.subgroupMinSize ?? 0, most: info?.subgroupMaxSize ?? 0 }
      : { least: 0, most: 0 },
    matrices: configs.map((c) => ({
      components: c.componentType,
      result: c.resultComponentType,
      m: c.M,
      n: c.N,
      k: c.K,
    })),
    vendor: (info?.vendor ?? '').toLowerCase(),
    architecture: (info?.architecture ?? '').toLowerCase(),
    software: /llvmpipe|lavapipe|swiftshader|software|basic render/.test(words),
    maxWorkgroupSize: Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
    maxWorkgroupMemory: limits.maxComputeWorkgroupStorageSize,
    maxGroups: limits.maxComputeWorkgroupsPerDimension,
    maxBinding: limits.maxStorageBufferBindingSize,
    ...(tuned && { tuned }),
  };
}
