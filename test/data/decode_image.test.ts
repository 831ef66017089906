import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/data/decode_image.node.ts';
import { imageFormat, type ReadFormat } from '../../src/data/image_format.ts';

const file = (name: string) => new Uint8Array(readFileSync(new URL(`images/${name}`, import.meta.url)));
const decode = (bytes: Uint8Array) => decodeImage(bytes, imageFormat(bytes) as ReadFormat);

describe('images of 16 x 8', () => {
  it.each([
    ['base.jpg', 3],
    ['progressive.jpg', 3],
    ['grey.jpg', 1],
    ['base.webp', 3],
  ])('%s', async (name, channels) => {
    const image = await decode(file(name));
    expect([image.width, image.height, image.channels, image.data.length]).toEqual([16, 8, channels, 128 * channels]);
  });

  it('are turned by EXIF', async () => {
    const bytes = file('base.jpg');
    const exif = [
      0xff,
      0xe1,
      0,
      34,
      ...Buffer.from('Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0', 'latin1'),
    ];
    const { width, height } = await decode(Uint8Array.from([...bytes.subarray(0, 2), ...exif, ...bytes.subarray(2)]));
    expect([width, height]).toEqual([8, 16]);
  });

  it('are refused by name', async () => {
    await expect(decode(file('cmyk.jpg'))).rejects.toThrow('CMYK');
    await expect(decode(file('progressive.jpg').subarray(0, 300))).rejects.toThrow('ends before');
    await expect(decode(file('base.webp').subarray(0, 40))).rejects.toThrow('gives up');
  });
});
