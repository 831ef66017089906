import { FixableError } from '../kernel/index.ts';
import { DeviceLostError } from './device.ts';

/** Milliseconds that a device has to say that it is lost, once something failed for no other reason. */
const PATIENCE = 200;

const losses = new WeakMap<GPUDevice, DeviceLostError>();
const watched = new WeakSet<GPUDevice>();

/** The error of a lost device, if it is known to be lost. */
export function lossOf(device: GPUDevice): DeviceLostError | undefined {
  return losses.get(device);
}

/** Listens for the loss of a device, from now on. */
export function watchLoss(device: GPUDevice): void {
  if (watched.has(device)) return;
  watched.add(device);
  device.lost?.then((info) => void losses.set(device, new DeviceLostError(info)));
}

/** Work on a device. @throws DeviceLostError instead of what WebGPU says, or does not say, when the device is lost. */
export async function onDevice<T>(device: GPUDevice, work: () => Promise<T>): Promise<T> {
  watchLoss(device);
  await undefined; // a loss that has happened is told by now
  const check = () => {
    const loss = lossOf(device);
    if (loss) throw loss;
  };
  check();
  try {
    const result = await work();
    check();
    return result;
  } catch (error) {
    check();
    if (error instanceof FixableError) throw error;
    await Promise.race([device.lost, new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
    await undefined;
    check();
    throw error;
  }
}
