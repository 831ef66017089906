import { describe, expect, it } from 'vitest';
import { activation } from '../../src/kernels/activation.ts';
import { BufferLimitError, Ledger, type Tensor, Workspace } from '../../src/tensor/index.ts';
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

/** A device of `room` bytes that gives memory back as Dawn does: at the submit after one that came after the destroying. */
function slowToForget(room: number): GPUDevice {
  let used = 0;
  let full = false;
  let freed = [0, 0];
  return {
    limits: { maxBufferSize: 1000 },
    queue: {
      submit: () => {
        used -= freed[0] as number;
        freed = [freed[1] as number, 0];
      },
      onSubmittedWorkDone: async () => {},
    },
    pushErrorScope: () => {},
    popErrorScope: async () => (full ? { message: 'full' } : null),
    createBuffer: ({ size }: { size: number }) => {
      full = used + size > room;
      if (!full) used += size;
      const own = full ? 0 : size;
      return { size, destroy: () => void (freed[1] = (freed[1] as number) + own) };
    },
  } as unknown as GPUDevice;
}

describe('the ledger of buffers', () => {
  it('has the memory of what it destroyed again once it was asked for it', async () => {
    for (const asked of [false, true]) {
      const ledger = new Ledger(slowToForget(1024));
      for (let i = 0; i < 2; i++) ledger.create('arena', `#${i}`, 512, 0);
      ledger.destroyAll();
      if (asked) await ledger.reclaim();
      ledger.create('arena', 'next', 992, 0);
      if (asked) await expect(ledger.check()).resolves.toBeUndefined();
      else await expect(ledger.check()).rejects.toThrow('no memory for arena buffer "next"');
    }
  });

  it('counts the bytes that are live, and the most that ever were', () => {
    const ledger = new Ledger(fullAfter(4096));
    const buffers = [100, 512].map((size, i) => ledger.create('arena', `#${i}`, size, 0));
    ledger.destroy(buffers[1] as GPUBuffer);
    ledger.destroy(buffers[1] as GPUBuffer); // once more is no news
    ledger.create('data', 'x', 64, 0);
    expect([ledger.total, ledger.peak]).toEqual([112 + 64, 112 + 512]);
    expect(ledger.bytes()).toMatchObject({ arena: 112, data: 64 });
    ledger.destroyAll();
    expect([ledger.total, ledger.peak]).toEqual([0, 112 + 512]);
  });

  it('names the buffer for which the device had no memory, once', async () => {
    const ledger = new Ledger(fullAfter(100));
    ledger.create('arena', 'a', 64, 0);
    await ledger.check();
    ledger.create('optimizer', 'm 0', 64, 0);
    ledger.create('optimizer', 'v 0', 64, 0);
    await expect(ledger.check()).rejects.toThrow(
      'the device has no memory for optimizer buffer "m 0" of 64 bytes, 128 with all before it (optimizer 64, arena 64). Fix: a smaller batch',
    );
    await ledger.check();
  });

  it('names the limit that a buffer passes', () => {
    expect(() => new Ledger(fullAfter(1e9)).create('data', 'x', 1001, 0)).toThrow(BufferLimitError);
    expect(() => new Ledger(fullAfter(1e9)).create('data', 'x', 1001, 0)).toThrow(
      'maxBufferSize of this device is 1000',
    );
  });

  it('holds all buffers, those of leases too, to a limit of memory, and says what takes it and what helps', async () => {
    const workspace = new Workspace(await testDevice(), { memoryLimit: 4096 });
    workspace.create('parameter', 'w', [512]);
    const lease = workspace.lease('sampling');
    lease.create('arena', 'x', [256]);
    expect(() => lease.create('arena', 'y', [512])).toThrow(
      'arena buffer "y" needs 2048 bytes, 5120 with all before it (parameter 2048, arena 1024); the memory limit is 4096. ' +
        'Fix: a smaller model (weights, gradients, moments and averages take 67%), or an optimiser with fewer moments, or another memory limit',
    );
    await workspace.dispose();
  });

  it('is asked before anything is submitted', async () => {
    const workspace = new Workspace(await testDevice());
    const tensor = workspace.create('data', 'x', [4]);
    Object.assign(workspace.ledger, { check: () => Promise.reject(new BufferLimitError('no memory', 'less')) });
    workspace.stream.write(tensor, new Float32Array([1, 2, 3, 4]));
    await expect(workspace.read(tensor)).rejects.toThrow('no memory');
    await workspace.dispose();
  });

  it('leaves WebGPU nothing to complain of when a step finds no memory in the middle', async () => {
    const device = await testDevice();
    let asked = 0;
    const full = new Proxy(device, {
      get(target, key) {
        if (key === 'createBuffer') {
          // The third buffer of the step cannot be had: an invalid one, as WebGPU gives without memory, and the word later.
          return (description: GPUBufferDescriptor) => {
            const refused = description.label?.startsWith('arena') && ++asked >= 3;
            return target.createBuffer(
              refused ? { ...description, size: target.limits.maxBufferSize + 16 } : description,
            );
          };
        }
        if (key === 'pushErrorScope') return () => target.pushErrorScope('validation');
        const value = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const workspace = new Workspace(full);
    workspace.beginStep();
    const kernel = activation.prepare(full, { act: 'relu' });
    const tensors = [0, 1, 2, 3, 4].map(() => workspace.arena.alloc([1024]));
    device.pushErrorScope('validation');
    for (let i = 1; i < 5; i++) {
      const [x, y] = [tensors[i - 1], tensors[i]] as [Tensor, Tensor];
      workspace.stream.run(kernel, { x, y }, { count: 1024 });
      workspace.stream.clear(y);
      workspace.stream.copy(x, y);
    }
    await expect(workspace.stream.flush()).rejects.toThrow(
      /no memory for arena buffer "#2 \[1024\]" of 4096 bytes, 12288 with all before it \(arena 12288\): y of \w+\. Fix: a smaller batch/,
    );
    await workspace.abandonStep();
    expect(await device.popErrorScope()).toBeNull();
    await workspace.dispose();
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
    await workspace.dispose();
  });
});
