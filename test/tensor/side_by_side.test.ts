import { expect, it } from 'vitest';
import { FlatLayout, FlatParameters, Storage, sideBySide, Tensor, Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';

const rows = (name: string, count: number, beside?: string) => ({
  name,
  shape: [count, 32],
  ...(beside && { beside }),
});

it('a layout keeps parameters side by side that say so, and gives their places in the order of the specs', () => {
  const specs = [rows('a', 2), rows('b', 2, 'x'), rows('c', 4), rows('d', 6, 'x'), rows('e', 2)];
  const at = (most: number) =>
    new FlatLayout(specs, most).places.map(({ name, chunk, offset }) => [name, chunk, offset]);
  expect(at(1 << 20)).toEqual([
    ['a', 0, 0],
    ['b', 0, 256],
    ['c', 0, 1280],
    ['d', 0, 512],
    ['e', 0, 1792],
  ]);
  expect(at(1024)).toEqual([
    ['a', 0, 0],
    ['b', 0, 256],
    ['c', 2, 0],
    ['d', 1, 0],
    ['e', 2, 512],
  ]);
});

it('tensors side by side are one, with their gradients and f16 copies; those that lie apart are none', async () => {
  const workspace = new Workspace(await testDevice());
  const made = (options: object, ...specs: ReturnType<typeof rows>[]) => {
    const weights = new FlatParameters(workspace, FlatParameters.layoutFor(workspace, specs, true), options);
    return specs.map(({ name }) => weights.get(name));
  };
  const [a, , c] = made({ trainable: true, halves: true }, rows('a', 4, 'x'), rows('b', 4), rows('c', 8, 'x')) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const both = sideBySide([a, c]) as Tensor;
  expect(both.shape).toEqual([12, 32]);
  for (const [whole, first] of [
    [both.storage, a.storage],
    [both.storage.gradient, a.storage.gradient],
    [both.storage.half, a.storage.half],
  ] as const) {
    expect(whole?.buffer).toBe(first?.buffer);
    expect([whole?.offset, whole?.size]).toEqual([first?.offset, (first?.size as number) * 3]);
  }
  expect(both.storage.needsGrad).toBe(true);
  expect(sideBySide([a])?.shape).toEqual([4, 32]);
  expect(sideBySide([])).toBeUndefined();
  expect(sideBySide([c, a])).toBeUndefined();
  expect(sideBySide([a, c.view(16, 16)])).toBeUndefined();
  expect(sideBySide([a, new Tensor(c.shape, new Storage(c.buffer, c.offset, c.size))])).toBeUndefined(); // without gradient
  expect(sideBySide(made({}, rows('a', 4), rows('b', 4), rows('c', 8)).filter((_, i) => i !== 1))).toBeUndefined();
  expect(sideBySide(made({}, rows('a', 3, 'x'), rows('c', 8, 'x')))).toBeUndefined(); // a gap between them
  const [d, e] = made({}, rows('d', 4), rows('e', 4)) as [Tensor, Tensor];
  expect(sideBySide([d, e])?.shape).toEqual([8, 32]);
  e.storage.needsGrad = true; // watched by itself
  expect(sideBySide([d, e])).toBeUndefined();
  await workspace.dispose();
});
