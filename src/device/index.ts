/**
 * A device: requesting one, reading back, its loss.
 * @module ucgm-webgpu/device
 */
export { adapterName, DeviceError, DeviceLostError, type DeviceOptions, requestDevice } from './device.ts';
export { lossOf, onDevice, watchLoss } from './lost.ts';
export { readBuffer } from './readback.ts';
