import { expect, it } from 'vitest';
import { FlatBuffers, FlatLayout, TensorError, Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';

const specs = [
  { name: 'a', shape: [3] },
  { name: 'b', shape: [2, 70] },
  { name: 'c', shape: [65] },
];

it('chunks are read and written as they lie, by places alone', async () => {
  const workspace = new Workspace(await testDevice());
  const flat = new FlatBuffers(workspace, new FlatLayout(specs, 1024), 'gradient', 'g');
  expect(flat.chunks.map((chunk) => chunk.count)).toEqual([256, 128]); // a, b; c
  const values = new Map(
    specs.map(({ name, shape }, k) => [name, new Float32Array(shape.reduce((x, y) => x * y, 1)).fill(k + 1)]),
  );
  flat.write(values);
  const whole = await flat.readChunk(0);
  expect(whole).toEqual(Float32Array.from({ length: 256 }, (_, i) => (i < 3 ? 1 : i >= 64 && i < 204 ? 2 : 0)));
  expect(await flat.readChunk(0, 62, 4)).toEqual(Float32Array.of(0, 0, 2, 2));
  expect(await flat.readChunk(1, 127)).toEqual(Float32Array.of(0));
  expect(await flat.readChunk(1, 128)).toEqual(new Float32Array(0));

  const data = Float32Array.of(7, 8, 9);
  flat.writeChunk(1, 62, data);
  flat.writeChunk(1, 128, new Float32Array(0));
  data.fill(0); // copied at the call
  expect(await flat.readChunk(1, 61, 5)).toEqual(Float32Array.of(3, 7, 8, 9, 0));
  expect((await flat.read()).get('c')?.slice(62)).toEqual(Float32Array.of(7, 8, 9));
  flat.writeChunk(0, 0, whole);
  expect((await flat.read()).get('b')).toEqual(values.get('b'));

  for (const range of [
    [2],
    [-1],
    [0.5],
    [0, -1],
    [0, 1.5],
    [0, 257],
    [0, 250, 7],
    [0, 0, -1],
    [0, 0, Number.NaN],
  ] as const)
    await expect(flat.readChunk(...(range as unknown as [number]))).rejects.toThrow(TensorError);
  for (const [chunk, offset, given] of [
    [2, 0, data],
    [1, 126, data],
    [1, -1, data],
    [1, 0, [1, 2]],
    [1, 0, new Uint32Array(1)],
  ] as const)
    expect(() => flat.writeChunk(chunk, offset, given as never)).toThrow(TensorError);
  expect(() => flat.writeChunk(1, 126, data)).toThrow(
    '3 elements from 126 on of chunk 1. Fix: give whole numbers within its 128',
  );
  await workspace.dispose();
});
