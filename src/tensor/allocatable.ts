import { BufferLimitError, Ledger } from './ledger.ts';
import { TENSOR_USAGE } from './tensor.ts';

/** Bytes of a first piece; each that the device has no memory for is followed by one of half its size. */
const FIRST = 2 ** 30;
/** Bytes of a last piece: what is left of the memory below it is not looked for. */
const LAST = 2 ** 24;

/**
 * Bytes that can be had on a device now, `most` at most, to within 16 MiB: WebGPU does not tell them. Buffers are made until the device has no
 * memory for another, and destroyed; nothing is written to them. Resolves when their memory can be had again.
 */
export async function allocatable(device: GPUDevice, most: number): Promise<number> {
  const ledger = new Ledger(device);
  let piece = Math.min(FIRST, device.limits.maxBufferSize);
  try {
    while (ledger.total < most && piece >= LAST) {
      const size = Math.min(piece, most - ledger.total);
      try {
        ledger.create('arena', 'room', Math.floor(size / 16) * 16, TENSOR_USAGE);
        await ledger.check();
      } catch (error) {
        if (!(error instanceof BufferLimitError) || !error.buffer) throw error;
        ledger.destroy(error.buffer);
        piece = size / 2;
      }
    }
    return Math.min(most, ledger.total);
  } finally {
    ledger.end();
    await ledger.reclaim();
  }
}
