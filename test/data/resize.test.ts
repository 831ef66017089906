import { expect, it } from 'vitest';
import { resizeAndCrop } from '../../src/data/resize.ts';

it('halves with the triangle of Pillow, and crops the long side to its centre', () => {
  const row = [0, 80, 160, 240];
  const image = { channels: 1 as const, width: 4, height: 4, data: Uint8Array.from([...row, ...row, ...row, ...row]) };
  // Weights of the first output: 3/7, 3/7, 1/7 on 0, 80, 160.
  expect([...resizeAndCrop(image, 2).data]).toEqual([57, 183, 57, 183]);
  const wide = { channels: 1 as const, width: 4, height: 2, data: Uint8Array.from([...row, ...row]) };
  expect([...resizeAndCrop(wide, 2).data]).toEqual([80, 160, 80, 160]);
});
