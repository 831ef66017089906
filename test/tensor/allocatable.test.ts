import { describe, expect, it } from 'vitest';
import { allocatable } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';

const MIB = 2 ** 20;

/** A device that has so many bytes, and says so as WebGPU does: a buffer too many is an error of the scope around it. */
function deviceOf(bytes: number, maxBufferSize: number) {
  const live = new Map<object, number>();
  const sizes: number[] = [];
  let refused = false;
  const held = () => [...live.values()].reduce((sum, size) => sum + size, 0);
  const device = {
    limits: { maxBufferSize },
    pushErrorScope: () => void (refused = false),
    popErrorScope: async () => (refused ? { message: 'out of memory' } : null),
    createBuffer: ({ size }: GPUBufferDescriptor) => {
      sizes.push(size);
      refused = held() + size > bytes;
      const buffer = { size, destroy: () => live.delete(buffer) };
      if (!refused) live.set(buffer, size);
      return buffer;
    },
    queue: { submit: () => {}, onSubmittedWorkDone: async () => {} },
  };
  return { device: device as unknown as GPUDevice, held, sizes };
}

describe('what can be allocated', () => {
  it('is found to within 16 MiB, in buffers that the device allows, and given back', async () => {
    for (const [bytes, maxBufferSize] of [
      [5000 * MIB, 4096 * MIB],
      [5000 * MIB, 256 * MIB],
      [700 * MIB + 12345, 300 * MIB],
      [3 * MIB, 256 * MIB],
    ] as const) {
      const { device, held, sizes } = deviceOf(bytes, maxBufferSize);
      const found = await allocatable(device, 1e12);
      expect(found).toBeLessThanOrEqual(bytes);
      expect(bytes - found).toBeLessThan(16 * MIB);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(maxBufferSize);
      expect(sizes.length).toBeLessThan(40);
      expect(held()).toBe(0);
    }
  });

  it('is not looked for beyond what is of use', async () => {
    const { device, sizes } = deviceOf(5000 * MIB, 4096 * MIB);
    expect(await allocatable(device, 1500 * MIB)).toBe(1500 * MIB);
    expect(sizes).toEqual([1024 * MIB, 476 * MIB]);
    expect(await allocatable(await testDevice(), 40 * MIB)).toBe(40 * MIB);
  });
});
