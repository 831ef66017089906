import { onDevice } from './lost.ts';

const MAP_READ = 0x1;
const USAGE_MAP_READ = 0x1;
const USAGE_COPY_DST = 0x8;

/**
 * Copies a range of a GPU buffer to the host. Waits for all work submitted before it. For tests, checkpoints and samples;
 * a training step reads its scalars through a ring instead.
 * @param offset bytes, a multiple of 4. @param size bytes, a multiple of 4.
 * @throws DeviceError when the device is lost.
 */
export async function readBuffer(
  device: GPUDevice,
  buffer: GPUBuffer,
  offset = 0,
  size = buffer.size - offset,
): Promise<ArrayBuffer> {
  return onDevice(device, async () => {
    const staging = device.createBuffer({ label: 'readback', size, usage: USAGE_MAP_READ | USAGE_COPY_DST });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(MAP_READ);
    const copy = staging.getMappedRange().slice(0);
    staging.unmap();
    staging.destroy();
    return copy;
  });
}
