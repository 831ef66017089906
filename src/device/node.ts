/**
 * A device in Node, of Dawn: the optional peer `webgpu`.
 * @module ucgm-webgpu/node
 */
import { capsOf } from '../kernel/index.ts';
import { compileWithHelp } from './compilers.node.ts';
import { DeviceError, type DeviceOptions, requestDevice } from './device.ts';
import { restLess } from './rests.node.ts';

export { FixableError } from '../kernel/errors.ts';
export { DeviceError, type DeviceOptions };

/** What Dawn's create() returned. The process aborts when it is collected before the device, so it stays reachable here. */
let dawn: GPU | undefined;

/** Dawn's own switches: without the first f16 is hidden on NVIDIA, without the others subgroup matrices are everywhere. */
const DAWN_SWITCHES = ['vulkan_enable_f16_on_nvidia', 'allow_unsafe_apis', 'use_vulkan_memory_model'];

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
    dawn = webgpu.create([`enable-dawn-features=${DAWN_SWITCHES}`]);
  }
  const device = await requestDevice(dawn, options);
  if (!capsOf(device).software) restLess();
  return device;
}

/** Processors that compiling with two helpers takes: two threads of each of three devices, and JavaScript's. */
const COMPILING_PROCESSORS = 7;

/**
 * For a program that compiles many kernels at once, as a training does before its first step: opens two more devices of a device's
 * adapter, which help it to compile as long as there is something to compile. On an H100 they take 0.3 s to open and 17 MB of its memory
 * each, and save 1.8 s of the 3 s before TiT-S/2's first step. Nothing happens where they would not help: on a software adapter, which
 * compiles when it dispatches; on fewer than 7 processors; where the driver does not share among devices what it compiled, or gives no
 * more of them.
 * @param device of `openNodeDevice`, before it compiles anything; it stays its caller's.
 * @param processes that do so on this machine at once, as several ranks do.
 */
export async function helpCompiling(device: GPUDevice, processes = 1): Promise<void> {
  if (capsOf(device).software) return;
  const { availableParallelism } = await import('node:os'); // asked for here: a page's bundle may have this file, and runs none of it
  if (availableParallelism() < COMPILING_PROCESSORS * processes) return;
  await compileWithHelp(device, () => requestDevice(dawn, { features: [...device.features] }));
}
