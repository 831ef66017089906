import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import { restWhileWaiting } from '../../src/device/rests.node.ts';

const own = globalThis.setImmediate;
afterAll(() => void (globalThis.setImmediate = own));

/** A function without a text of its own, as an addon's are. */
const native = (f: () => void): (() => void) => f.bind(undefined);

it('rests between two looks of an addon, and leaves callbacks of JavaScript alone', async () => {
  restWhileWaiting();
  const start = performance.now();
  let looks = 0;
  let restedFrom = 0;
  await new Promise<void>((resolve) => {
    const look = () => {
      if (performance.now() - start > 5 && looks++ === 0) restedFrom = performance.now();
      if (looks <= 50) setImmediate(native(look));
      else resolve();
    };
    setImmediate(native(look));
  });
  expect(performance.now() - restedFrom).toBeGreaterThan(25); // 50 rests of a millisecond; without them it takes one in all
  expect(clearImmediate(setImmediate(() => {}))).toBeUndefined();
  expect(setImmediate(() => {}).constructor).toBe(own(() => {}).constructor);
  expect(await promisify(setImmediate)('passed on')).toBe('passed on');
});
