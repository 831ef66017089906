import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodePicture } from '../../src/io/png.ts';

/** A pixel of a drawn picture, 0..255: smooth, coloured, another in each picture, and no mirror image of itself. */
export const drawnPixel = (picture: number, channel: number, y: number, x: number): number =>
  Math.round(127.5 + 70 * Math.sin(0.9 * picture + 0.5 * channel + 0.2 * x + 0.1 * y));

/** Writes pictures of `width` x `height` into class folders, in turn; picture i is folder/CLASS/i.png. */
export function drawPictures(
  folder: string,
  { classes, count, width, height }: { classes: readonly string[]; count: number; width: number; height: number },
): void {
  for (const name of classes) mkdirSync(join(folder, name), { recursive: true });
  for (let picture = 0; picture < count; picture++) {
    const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => {
      const pixel = Math.floor(i / 3);
      return drawnPixel(picture, i % 3, Math.floor(pixel / width), pixel % width);
    });
    const path = join(folder, classes[picture % classes.length] as string, `${picture}.png`);
    writeFileSync(path, encodePicture({ width, height, channels: 3, data }));
  }
}
