import { expect, it } from 'vitest';
import { centreCrop, resizeAndCrop } from '../../src/data/resize.ts';

it('halves with the triangle of Pillow, and crops the long side to its centre', () => {
  const row = [0, 80, 160, 240];
  const image = { channels: 1 as const, width: 4, height: 4, data: Uint8Array.from([...row, ...row, ...row, ...row]) };
  // Weights of the first output: 3/7, 3/7, 1/7 on 0, 80, 160.
  expect([...resizeAndCrop(image, 2).data]).toEqual([57, 183, 57, 183]);
  const wide = { channels: 1 as const, width: 4, height: 2, data: Uint8Array.from([...row, ...row]) };
  expect([...resizeAndCrop(wide, 2).data]).toEqual([80, 160, 80, 160]);
});

/** Pillow 12.3's pixels of ADM's center_crop_arr on (37 x + 91 y + 13 x y) mod 256. */
const CROPPED: readonly [width: number, height: number, size: number, pixels: readonly number[]][] = [
  [4, 4, 2, [68, 155, 135, 146]],
  [
    4,
    6,
    5,
    [
      49, 78, 126, 174, 203, 134, 179, 169, 159, 204, 169, 231, 147, 61, 124, 24, 76, 133, 191, 242, 58, 143, 122, 92,
      162,
    ],
  ],
  [41, 37, 3, [131, 132, 131, 122, 125, 127, 128, 127, 118]],
  [9, 7, 4, [65, 134, 127, 151, 149, 149, 149, 131, 112, 133, 143, 127, 104, 108, 174, 127]],
  [
    ...([23, 11, 5] as const),
    [
      ...[137, 96, 140, 121, 80, 104, 179, 96, 142, 153, 137, 128, 126],
      ...[168, 159, 149, 162, 157, 131, 144, 116, 117, 113, 88, 153],
    ],
  ],
];

it.each(CROPPED)("crops %i x %i to %i as ADM does, with Pillow's boxes and cubics", (width, height, size, pixels) => {
  const data = Uint8Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return (37 * x + 91 * y + 13 * x * y) % 256;
  });
  const cropped = centreCrop({ channels: 1, width, height, data }, size);
  expect([cropped.width, cropped.height, ...cropped.data]).toEqual([size, size, ...pixels]);
});
