import { adapterName, type DeviceOptions, requestDevice } from '../src/device/index.ts';

let device: Promise<GPUDevice> | undefined;

/**
 * The device the tests of this file share, at WebGPU's default limits, so that no kernel needs more: the page's, or under Node
 * Dawn's. A missing adapter fails the test: there is no skip.
 */
export function testDevice(): Promise<GPUDevice> {
  device ??= openDevice({ limits: 'default' }).then((opened) => {
    console.log(`adapter: ${adapterName(opened)}`);
    return opened;
  });
  return device;
}

/** A device of the test's own. */
export async function openDevice(options: DeviceOptions): Promise<GPUDevice> {
  if (globalThis.navigator?.gpu) return requestDevice(navigator.gpu, options);
  const { openNodeDevice } = await import('../src/device/node.ts');
  const { restWhileWaiting } = await import('../src/device/rests.node.ts');
  restWhileWaiting(); // two files at a time, two cores: what a wait burns, the compiler lacks
  return openNodeDevice(options);
}
