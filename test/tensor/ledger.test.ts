import { describe, expect, it } from 'vitest';
import { BufferLimitError, Ledger, Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';

/** A device whose memory is full after `room` bytes, and says so as WebGPU does: later. */
function fullAfter(room: number): GPUDevice {
  let used = 0;
  return {
    limits: { maxBufferSize: 1000 },
    pushErrorScope: () => {},
    popErrorScope: async () => (used > room ? { message: 'full' } : null),
    createBuffer: ({ size }: { size: number }) => {
      used += size;
      return { size, destroy: () => {} };
    },
  } as unknown as GPUDevice;
}

describe('the ledger of buffers', () => {
  it('names the buffer for which the device had no memory, once', async () => {
    const ledger = new Ledger(fullAfter(100));
    ledger.create('arena', 'a', 64, 0);
    await ledger.check();
    ledger.create('optimizer', 'm 0', 64, 0);
    ledger.create('optimizer', 'v 0', 64, 0);
    await expect(ledger.check()).rejects.toThrow(
      'the device has no memory for optimizer buffer "m 0" of 64 bytes, 128 with all before it. Fix: a smaller batch',
    );
    await ledger.check();
  });

  it('names the limit that a buffer passes', () => {
    expect(() => new Ledger(fullAfter(1e9)).create('data', 'x', 1001, 0)).toThrow(BufferLimitError);
    expect(() => new Ledger(fullAfter(1e9)).create('data', 'x', 1001, 0)).toThrow(
      'maxBufferSize of this device is 1000',
    );
  });

  it('is asked before anything is submitted', async () => {
    const workspace = new Workspace(await testDevice());
    const tensor = workspace.create('data', 'x', [4]);
    Object.assign(workspace.ledger, { check: () => Promise.reject(new BufferLimitError('no memory', 'less')) });
    workspace.stream.write(tensor, new Float32Array([1, 2, 3, 4]));
    await expect(workspace.read(tensor)).rejects.toThrow('no memory');
    workspace.dispose();
  });

  it('keeps what was recorded before an abandoned step, with the step tensors that it names', async () => {
    const workspace = new Workspace(await testDevice());
    const kept = workspace.create('data', 'kept', [4]);
    const passing = workspace.arena.alloc([4]);
    workspace.stream.write(passing, new Float32Array([1, 2, 3, 4]));
    workspace.stream.copy(passing, kept);
    workspace.beginStep();
    workspace.stream.clear(kept);
    await workspace.abandonStep();
    expect([...(await workspace.read(kept))]).toEqual([1, 2, 3, 4]);
    workspace.dispose();
  });
});
