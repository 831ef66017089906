import { checkOptions, FixableError, group, oneOf, optional, texts } from '../kernel/index.ts';
import { environment, noAdapter, noWebGPU } from './advice.ts';

/** No usable WebGPU, or a lost device. `fix` says what to do. */
export class DeviceError extends FixableError {
  override readonly name: string = 'DeviceError';
}

/** A device that is gone, with all that was on it. */
export class DeviceLostError extends DeviceError {
  override readonly name = 'DeviceLostError';
  /** WebGPU's word: `destroyed` by the program, or `unknown`: the driver, the system or the browser took it away. */
  readonly reason: GPUDeviceLostReason;

  constructor({ reason, message }: Pick<GPUDeviceLostInfo, 'reason' | 'message'>) {
    const why = reason === 'destroyed' ? 'it was destroyed' : message.split('\n')[0] || 'no reason given';
    super(
      `the device is lost: ${why}`,
      'open a new device, make workspace and trainer anew, and restore the last checkpoint',
    );
    this.reason = reason;
  }
}

export interface DeviceOptions {
  /** 'adapter' asks for all the adapter offers in buffer sizes and workgroup memory; 'default' stays at WebGPU's defaults. */
  limits?: 'adapter' | 'default';
  /** Optional features to ask for where the adapter has them. Default: timestamps for the bench, f16 and subgroups for shaders of your own. */
  features?: readonly string[];
}

const OPTIONS = group<DeviceOptions>({ limits: optional(oneOf('adapter', 'default')), features: optional(texts) });

const WANTED_FEATURES = ['timestamp-query', 'shader-f16', 'subgroups'];
const USED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
] as const;

/**
 * Requests a device from any `GPU` (a browser's navigator.gpu, or Dawn's).
 * @throws DeviceError when there is no adapter or the request fails.
 */
export async function requestDevice(gpu: GPU | undefined, options: DeviceOptions = {}): Promise<GPUDevice> {
  checkOptions(OPTIONS, options, (what, fix) => new DeviceError(`requestDevice: ${what}`, fix));
  if (!gpu) throw new DeviceError(...noWebGPU(environment()));
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new DeviceError(...noAdapter(environment()));
  const requiredFeatures = (options.features ?? WANTED_FEATURES).filter((f) =>
    adapter.features.has(f),
  ) as GPUFeatureName[];
  const requiredLimits: Record<string, number> = {};
  if (options.limits !== 'default') {
    for (const name of USED_LIMITS) requiredLimits[name] = adapter.limits[name];
  }
  try {
    return await adapter.requestDevice({ label: 'ucgm', requiredFeatures, requiredLimits });
  } catch (error) {
    throw new DeviceError(
      `the adapter refused a device: ${error instanceof Error ? error.message : error}`,
      'update the driver',
    );
  }
}

/** One line that names a device's adapter: description, or vendor and architecture where the browser tells no more. */
export function adapterName(device: GPUDevice): string {
  const { vendor, architecture, description } = device.adapterInfo;
  return description || [vendor, architecture].filter(Boolean).join(' ') || 'unknown adapter';
}
