export { adapterName, DeviceError, type DeviceOptions, requestDevice } from './device.ts';
export { readBuffer } from './readback.ts';
