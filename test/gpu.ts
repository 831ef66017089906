import { adapterName } from '../src/device/index.ts';
import { openNodeDevice } from '../src/device/node.ts';

let device: Promise<GPUDevice> | undefined;

/**
 * The device the tests of this file share, at WebGPU's default limits, so that no kernel needs more. A missing adapter
 * fails the test: there is no skip.
 */
export function testDevice(): Promise<GPUDevice> {
  device ??= openNodeDevice({ limits: 'default' }).then((opened) => {
    console.log(`adapter: ${adapterName(opened)}`);
    return opened;
  });
  return device;
}
