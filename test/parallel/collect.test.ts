import { expect, it } from 'vitest';
import { collectGarbage } from '../../src/parallel/collect.node.ts';

it('garbage is collected when that is asked for', async () => {
  const garbage = Array.from({ length: 100 }, () => new WeakRef({}));
  await new Promise((turn) => setTimeout(turn)); // what a turn made stays for its length
  collectGarbage();
  expect(garbage.filter((object) => object.deref() !== undefined)).toEqual([]);
});
