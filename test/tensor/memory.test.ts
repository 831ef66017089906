import { describe, expect, it } from 'vitest';
import { lincomb } from '../../src/kernels/lincomb.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';

const DIMS = {
  batch: 1,
  n: 4,
  coef_stride: 0,
  coef_offset: 0,
  offset0: 0,
  offset1: 0,
  offset2: 0,
  offset3: 0,
  out_offset: 0,
};

describe('step memory', () => {
  it('gives the i-th request of a step the i-th buffer of the last one', async () => {
    const { arena, ledger, ...rest } = new Workspace(await testDevice());
    const step = () => {
      const [a, b] = [arena.alloc([3]), arena.alloc([5])];
      arena.release(a);
      const c = arena.alloc([7]); // the same size class as a: takes its buffer
      return [a.buffer, b.buffer, c.buffer];
    };
    const first = step();
    expect(first[2]).toBe(first[0]);
    const bytes = ledger.total;
    arena.reset();
    expect(step()).toEqual(first);
    expect(ledger.total).toBe(bytes);
    expect(ledger.bytes().arena).toBe(arena.bytes);
    arena.dispose();
    expect(ledger.total).toBe(0);
    expect(rest).toBeDefined();
  });

  it('releases all that a scope allocated but what it returns', async () => {
    const { arena } = new Workspace(await testDevice());
    const kept = arena.scope(() => {
      arena.alloc([4]);
      return arena.alloc([4]);
    });
    expect(arena.alloc([4]).buffer).not.toBe(kept.buffer);
    arena.dispose();
  });

  it('keeps a retained tensor until its last release', async () => {
    const { arena } = new Workspace(await testDevice());
    const tensor = arena.alloc([4]);
    arena.retain(tensor);
    arena.release(tensor);
    expect(arena.alloc([4]).buffer).not.toBe(tensor.buffer);
    arena.release(tensor);
    expect(arena.alloc([4]).buffer).toBe(tensor.buffer);
    arena.dispose();
  });

  it('refuses a buffer past the device limit, naming owner and fix', async () => {
    const workspace = new Workspace(await testDevice());
    expect(() => workspace.create('data', 'huge', [2 ** 31])).toThrow(/data buffer "huge" needs \d+ bytes.*Fix: /);
  });
});

describe('stream', () => {
  it('keeps host writes in order with the dispatches around them', async () => {
    const workspace = new Workspace(await testDevice());
    const { stream, device } = workspace;
    const [u0, out, coefs, copy] = [[4], [4], [1], [4]].map((shape) => workspace.create('data', 'x', shape));
    if (!u0 || !out || !coefs || !copy) throw new Error('no tensors');
    const kernel = lincomb.prepare(device, { inputs: 1 });
    stream.write(coefs, Float32Array.of(10));
    stream.write(u0, Float32Array.of(1, 2, 3, 4));
    stream.run(kernel, { u0, coefs, out }, DIMS);
    stream.copy(out, copy);
    stream.write(u0, Float32Array.of(5, 6, 7, 8)); // must not reach the first dispatch
    stream.run(kernel, { u0, coefs, out }, DIMS);
    expect([...(await workspace.read(copy))]).toEqual([10, 20, 30, 40]);
    expect([...(await workspace.read(out))]).toEqual([50, 60, 70, 80]);
    stream.clear(out);
    expect([...(await workspace.read(out))]).toEqual([0, 0, 0, 0]);
    expect(() => stream.write(u0, new Float32Array(5))).toThrow('cannot write 5 elements');
    expect(() => stream.copy(u0, coefs)).toThrow('the counts differ');
    await workspace.dispose();
    expect(workspace.ledger.total).toBe(0);
  });
});
