import { expect, it } from 'vitest';
import { randomNormal } from '../../src/kernels/random.ts';
import { beta, normal, STREAM, uniform01, uniformU32 } from '../../src/rng/philox.ts';
import { type Measured, shapesDataset, train } from '../../src/run/index.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';

// Node, Chromium and Deno are held to the numbers below, which Node printed on lavapipe (Mesa 25.0.7), 2026-11-26.

const COUNT = 4096;
const KEYS = [
  [0, STREAM.noise, 0],
  [7, STREAM.sample, 3],
  [2 ** 32 - 1, STREAM.data, 2 ** 33 + 5],
] as const;

/** FNV-1a of the bits of numbers: equal for equal bits. */
function hashOf(numbers: Float32Array | Float64Array | Uint32Array): string {
  let hash = 0x811c9dc5;
  for (const byte of new Uint8Array(numbers.buffer)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

it('the same seed gives the same random numbers everywhere, on the host and on the device, to the bit', async () => {
  const workspace = new Workspace(await testDevice());
  const hashes: string[][] = [];
  for (const [seed, stream, step] of KEYS) {
    const drawn = (draw: (i: number) => number) => Float64Array.from({ length: COUNT }, (_, i) => draw(i));
    const normals = Float32Array.from(drawn((i) => normal(seed, stream, step, i)));
    const key = workspace.create('data', 'key', [4], 'u32');
    const out = workspace.create('data', 'out', [COUNT]);
    workspace.stream.write(key, Uint32Array.of(seed, stream, step, Math.floor(step / 2 ** 32)));
    workspace.stream.run(randomNormal.prepare(workspace.device), { key, out }, { count: COUNT, first: 0 });
    expect(hashOf(await workspace.read(out))).toBe(hashOf(normals));
    hashes.push([
      hashOf(normals),
      hashOf(Uint32Array.from({ length: COUNT }, (_, i) => uniformU32(seed, stream, step, i))),
      hashOf(drawn((i) => uniform01(seed, stream, step, i))),
      hashOf(drawn((i) => beta(seed, stream, step, i, 1.5, 0.8))),
      hashOf(drawn((i) => beta(seed, stream, step, i, 1.5, 1))),
    ]);
  }
  await workspace.dispose();
  expect(hashes).toEqual([
    ['477a4adb', 'd5ba4ecd', '246e323e', '42a87cba', '8ff64da6'],
    ['9934f979', 'a39d1d03', '2bb3ff89', '6314dc63', 'f1b996ee'],
    ['c583e53a', 'cbb0dac6', 'ebcd24ce', '608f7868', '0a43eb55'],
  ]);
});

it('the same seed gives the same losses of five steps everywhere, within 1e-4', async () => {
  const losses: number[] = [];
  const session = await train({
    device: await testDevice(),
    preset: 'tiny',
    config: { model: { hidden_size: 32, depth: 2, num_heads: 2 }, data: { batch_size: 8 } },
    data: shapesDataset({ size: 16, count: 96 }),
    steps: 5,
    seed: 3,
    onStep: ({ loss }: Measured) => void losses.push(loss),
  });
  await session.close();
  const stored = [1.3752571, 1.29135, 1.2756387, 1.244488, 1.2075914];
  expect(losses).toHaveLength(stored.length);
  losses.forEach((loss, i) => {
    expect(Math.abs(loss - (stored[i] as number)), `step ${i + 1}: ${loss}`).toBeLessThan(1e-4);
  });
});
