/**
 * A device in Node, of Dawn: the optional peer `webgpu`.
 * @module ucgm-webgpu/node
 */
import { capsOf } from '../kernel/index.ts';
import { DeviceError, type DeviceOptions, requestDevice } from './device.ts';
import { restLess } from './rests.node.ts';

export { FixableError } from '../kernel/errors.ts';
export { DeviceError, type DeviceOptions };

/** What Dawn's create() returned. The process aborts when it is collected before the device, so it stays reachable here. */
let dawn: GPU | undefined;

/** Dawn's own switches, `enable-dawn-features=...` style; without them f16 is hidden on NVIDIA. */
const DAWN_FLAGS = ['enable-dawn-features=vulkan_enable_f16_on_nvidia'];

/**
 * Opens a device under Dawn in Node.
 * @throws DeviceError when the optional peer `webgpu` is not installed or finds no adapter.
 */
export async function openNodeDevice(options: DeviceOptions = {}): Promise<GPUDevice> {
  if (!dawn) {
    let webgpu: typeof import('webgpu');
    try {
      webgpu = await import('webgpu');
    } catch {
      throw new DeviceError('the package webgpu is not installed', 'npm install webgpu');
    }
    Object.assign(globalThis, webgpu.globals);
    dawn = webgpu.create(DAWN_FLAGS);
  }
  const device = await requestDevice(dawn, options);
  if (!capsOf(device).software) restLess();
  return device;
}
