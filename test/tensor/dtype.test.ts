import { afterAll, describe, expect, it } from 'vitest';
import { Tape } from '../../src/autograd/tape.ts';
import { float32ToHalf } from '../../src/kernel/index.ts';
import { matmul } from '../../src/kernels/matmul.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { openDevice, testDevice } from '../gpu.ts';

const workspaces: Workspace[] = [];

async function workspaceOf(device: Promise<GPUDevice>): Promise<Workspace> {
  const workspace = new Workspace(await device);
  workspaces.push(workspace);
  return workspace;
}

afterAll(() => Promise.all(workspaces.map((workspace) => workspace.dispose())));

describe('tensors of another dtype than f32', () => {
  it('take the bytes of their elements, and are read as their values', async () => {
    const workspace = await workspaceOf(testDevice());
    const half = workspace.create('data', 'halves', [3, 101], 'f16');
    const values = Float32Array.from({ length: 303 }, (_, i) => i / 8 - 3);
    workspace.stream.write(half, float32ToHalf(values));
    expect(half).toMatchObject({ bytes: 606, dtype: 'f16' });
    expect(half.view(303)).toMatchObject({ dtype: 'f16' });
    expect(await workspace.read(half)).toEqual(values);
    await expect(workspace.readInPlace(half, (seen) => seen.length)).rejects.toThrow(
      'reading a tensor of f16 in place',
    );
    expect(workspace.ledger.total).toBe(608);
  });

  it('are read as their values where they are bfloat16', async () => {
    const workspace = await workspaceOf(testDevice());
    const wire = workspace.create('data', 'wire', [3], 'bf16');
    workspace.stream.write(wire, Uint16Array.of(0x3f80, 0xc000, 0x3eab));
    expect(await workspace.read(wire)).toEqual(Float32Array.of(1, -2, 0.333984375));
  });

  it('are cut, copied and pooled by their bytes', async () => {
    const workspace = await workspaceOf(testDevice());
    workspace.beginStep();
    const tape = new Tape(workspace, { record: false });
    const [half, part] = [tape.allocAs('f16', 512), tape.allocAs('f16', 4)];
    expect(workspace.arena.bytes).toBe(1024 + 256);
    workspace.stream.write(half, float32ToHalf(Float32Array.from({ length: 512 }, (_, i) => i)));
    workspace.stream.copy(half.slice(8, 4), part);
    expect(await workspace.read(part)).toEqual(Float32Array.of(8, 9, 10, 11));
    expect(() => half.slice(510, 3)).toThrow('[3] from element 510 of [512]');
    expect(() => workspace.stream.copy(part, tape.alloc(4))).toThrow('[4] f16 to [4] f32');
    expect(() => workspace.stream.write(part, new Float32Array(4))).toThrow(/Float32Array to a tensor of f16/);
  });

  it('are refused by kernels for numbers of another width', async () => {
    const workspace = await workspaceOf(openDevice({ limits: 'default', features: [] }));
    workspace.beginStep();
    const tape = new Tape(workspace, { record: false });
    const [a, b, out] = [tape.allocAs('f16', 8, 8), tape.alloc(8, 8), tape.alloc(8, 8)];
    const kernel = matmul.prepare(workspace.device, { layout: 'nn' });
    const run = () => tape.run(kernel, { a, b, out }, { m: 8, n: 8, k: 8 });
    expect(run).toThrow(/a holds f16, and this variant reads array<f32>.*or create the kernel for f16/);
  });
});
