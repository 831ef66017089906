import {
  checkOptions,
  FixableError,
  group,
  MATRIX_FEATURE,
  oneOf,
  optional,
  rememberAdapter,
  texts,
} from '../kernel/index.ts';
import { environment, noAdapter, noAnswer, noWebGPU } from './advice.ts';
import { answered, MINUTE, within } from './answer.ts';

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
  /** Optional features to ask for where the adapter has them. Default: timestamps for the bench, f16, subgroups and their matrices for products in low precision. */
  features?: readonly string[];
}

const OPTIONS = group<DeviceOptions>({ limits: optional(oneOf('adapter', 'default')), features: optional(texts) });

const WANTED_FEATURES = ['timestamp-query', 'shader-f16', 'subgroups', MATRIX_FEATURE];
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
 * @throws DeviceError when there is no adapter, the request fails, or there is no answer within a minute.
 */
export async function requestDevice(gpu: GPU | undefined, options: DeviceOptions = {}): Promise<GPUDevice> {
  checkOptions(OPTIONS, options, (what, fix) => new DeviceError(`requestDevice: ${what}`, fix));
  if (!gpu) throw new DeviceError(...noWebGPU(environment()));
  const adapter = await answered(() => gpu.requestAdapter({ powerPreference: 'high-performance' }));
  if (adapter === undefined) throw new DeviceError(...noAnswer('the GPU', environment()));
  if (!adapter) throw new DeviceError(...noAdapter(environment()));
  const requiredFeatures = (options.features ?? WANTED_FEATURES).filter((f) =>
    adapter.features.has(f),
  ) as GPUFeatureName[];
  const requiredLimits: Record<string, number> = {};
  if (options.limits !== 'default') {
    for (const name of USED_LIMITS) requiredLimits[name] = adapter.limits[name];
  }
  let device: GPUDevice | undefined;
  try {
    device = await within(adapter.requestDevice({ label: 'ucgm', requiredFeatures, requiredLimits }), MINUTE);
  } catch (error) {
    throw new DeviceError(
      `the adapter refused a device: ${error instanceof Error ? error.message : error}`,
      'update the driver',
    );
  }
  if (!device) throw new DeviceError(...noAnswer('its adapter', environment()));
  rememberAdapter(device, adapter.info);
  return device;
}

/** One line that names a device's adapter: description, or vendor and architecture where the browser tells no more. */
export function adapterName(device: GPUDevice): string {
  const { vendor, architecture, description } = device.adapterInfo;
  return description || [vendor, architecture].filter(Boolean).join(' ') || 'unknown adapter';
}
