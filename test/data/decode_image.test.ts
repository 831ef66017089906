import { readFileSync } from 'node:fs';
import { crc32, deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../src/data/decode_image.node.ts';
import { imageFormat, type ReadFormat } from '../../src/data/image_format.ts';

const file = (name: string) => new Uint8Array(readFileSync(new URL(`images/${name}`, import.meta.url)));
const decode = (bytes: Uint8Array) => decodeImage(bytes, imageFormat(bytes) as ReadFormat);

describe('images of 16 x 8', () => {
  it.each([
    ['base.jpg', 3],
    ['progressive.jpg', 3],
    ['subsampled.jpg', 3],
    ['grey.jpg', 1],
    ['base.webp', 3],
  ])('%s', async (name, channels) => {
    const image = await decode(file(name));
    expect([image.width, image.height, image.channels, image.data.length]).toEqual([16, 8, channels, 128 * channels]);
    if (channels === 1) return;
    // A fall from red, row 0, to blue, row 7.
    for (let y = 0; y < 8; y++)
      for (const [c, value] of [255 * (1 - y / 7), 0, (255 * y) / 7].entries())
        expect(Math.abs((image.data[(8 * c + y) * 16 + 5] as number) - value)).toBeLessThan(40);
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
    await expect(decode(file('animated.webp'))).rejects.toThrow('an animated WebP');
    const jpeg = file('base.jpg');
    const frame = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xc0);
    await expect(decode(jpeg.with(frame + 4, 12))).rejects.toThrow('12 bits');
    await expect(decode(jpeg.with(frame + 1, 0xc3))).rejects.toThrow('lossless or arithmetic');
    const data = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xda) + 14;
    const damaged = Uint8Array.of(...jpeg.subarray(0, data), 0xff, 0xd9);
    await expect(decode(damaged)).rejects.toThrow('premature end');
    expect((await decode(jpeg)).width).toBe(16); // the decoder goes on
    await expect(decode(file('progressive.jpg').subarray(0, 300))).rejects.toThrow('ends before');
    await expect(decode(file('base.webp').subarray(0, 40))).rejects.toThrow('damaged or ends early');
  });
});

/** A PNG of one filterless scan line a row, written here once more. */
function png(
  width: number,
  height: number,
  depth: number,
  type: number,
  rows: number[][],
  extra: [string, number[]][] = [],
) {
  const chunk = (name: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(name), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.from([0, 0, 0, width, 0, 0, 0, height, depth, type, 0, 0, 0]);
  const lines = deflateSync(Uint8Array.from(rows.flatMap((row) => [0, ...row])));
  const chunks = extra.map(([name, data]) => chunk(name, Uint8Array.from(data)));
  return new Uint8Array(
    Buffer.concat([
      Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
      chunk('IHDR', header),
      ...chunks,
      chunk('IDAT', lines),
      chunk('IEND', new Uint8Array()),
    ]),
  );
}

describe('PNG', () => {
  it.each([
    [1, [0b10100000], [255, 0, 255]],
    [2, [0b00011000], [0, 85, 170]],
    [4, [0x0f, 0x80], [0, 255, 136]],
    [8, [1, 2, 3], [1, 2, 3]],
    [16, [0, 128, 1, 1, 255, 255], [0, 1, 255]],
  ])('grey of %d bits', async (depth, row, values) => {
    const image = await decode(png(3, 1, depth, 0, [row]));
    expect([image.channels, [...image.data]]).toEqual([1, values]);
  });

  it.each([
    [1, [0b01000000], [0, 1, 0]],
    [2, [0b00011000], [0, 1, 2]],
    [4, [0x01, 0x20], [0, 1, 2]],
    [8, [2, 1, 0], [2, 1, 0]],
  ])('palette of %d bits', async (depth, row, indices) => {
    const palette = [10, 20, 30, 40, 50, 60, 70, 80, 90].slice(0, 3 * Math.min(3, 2 ** depth));
    const image = await decode(png(3, 1, depth, 3, [row], [['PLTE', palette]]));
    const planes = [0, 1, 2].flatMap((c) => indices.map((i) => palette[3 * i + c]));
    expect([image.channels, [...image.data]]).toEqual([3, planes]);
  });

  it('keeps the colour below transparency, and reads what lies before the last chunk', async () => {
    const key = png(2, 1, 8, 2, [[9, 8, 7, 1, 2, 3]], [['tRNS', [0, 9, 0, 8, 0, 7]]]);
    expect([...(await decode(Uint8Array.of(...key, 1, 2, 3))).data]).toEqual([9, 1, 8, 2, 7, 3]);
    const alpha = png(2, 1, 8, 4, [[200, 0, 100, 255]]);
    expect([...(await decode(alpha)).data]).toEqual([200, 100]);
  });

  it('is refused where it is damaged or ends early', async () => {
    const whole = png(3, 1, 8, 0, [[1, 2, 3]]);
    await expect(decode(whole.with(45, 99))).rejects.toThrow('check sum of its chunk IDAT');
    await expect(decode(whole.subarray(0, 50))).rejects.toThrow('ends before its last chunk');
    await expect(decode(png(3, 2, 8, 0, [[1, 2, 3]]))).rejects.toThrow('its pixels end 4 bytes too early');
  });
});
