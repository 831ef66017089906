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

/** A grey JPEG of 8 x 8 blocks of one value each: its cosine transforms have a first coefficient alone. */
function jpegOfBlocks(rows: readonly (readonly number[])[], segments: readonly number[]): Uint8Array {
  const [high, wide] = [rows.length, (rows[0] as readonly number[]).length];
  const segment = (marker: number, ...body: number[]) => [0xff, marker, 0, body.length + 2, ...body];
  let bits = '';
  let before = 0;
  for (const value of rows.flat()) {
    const first = 8 * (value - 128);
    const change = first - before;
    before = first;
    const length = change === 0 ? 0 : Math.floor(Math.log2(Math.abs(change))) + 1;
    const number = change < 0 ? change + 2 ** length - 1 : change;
    // The code of a length is the length in 4 bits, that of a block's end is 0.
    const code = length.toString(2).padStart(4, '0');
    bits += `${code}${length === 0 ? '' : number.toString(2).padStart(length, '0')}0`;
  }
  bits = bits.padEnd(8 * Math.ceil(bits.length / 8), '1');
  const data = (bits.match(/.{8}/g) as string[]).map((byte) => Number.parseInt(byte, 2));
  return Uint8Array.from([
    ...[0xff, 0xd8, ...segments],
    ...segment(0xdb, 0, ...new Array<number>(64).fill(1)),
    ...segment(0xc0, 8, 0, 8 * high, 0, 8 * wide, 1, 1, 0x11, 0),
    ...segment(0xc4, 0x00, 0, 0, 0, 12, ...new Array<number>(12).fill(0), ...Array.from({ length: 12 }, (_, i) => i)),
    ...segment(0xc4, 0x10, 1, ...new Array<number>(15).fill(0), 0),
    ...segment(0xda, 1, 1, 0, 0, 63, 0),
    ...data.flatMap((byte) => (byte === 0xff ? [0xff, 0] : [byte])),
    ...[0xff, 0xd9],
  ]);
}

/** An EXIF segment of two entries, the second of which is the orientation. */
function exif(orientation: number, order: 'MM' | 'II' = 'MM'): number[] {
  const number = (value: number, bytes: number) => {
    const big = Array.from({ length: bytes }, (_, i) => (value >> (8 * (bytes - 1 - i))) & 255);
    return order === 'MM' ? big : big.reverse();
  };
  const entry = (tag: number, value: number) => [
    ...number(tag, 2),
    ...number(3, 2),
    ...number(1, 4),
    ...number(value, 2),
    0,
    0,
  ];
  const tiff = [...Buffer.from(order), ...number(42, 2), ...number(8, 4), ...number(2, 2)];
  const body = [...Buffer.from('Exif\0\0'), ...tiff, ...entry(0x100, 3), ...entry(0x112, orientation), 0, 0, 0, 0];
  return [0xff, 0xe1, 0, body.length + 2, ...body];
}

describe('a JPEG and its EXIF orientation', () => {
  const stored = [
    [10, 50, 90],
    [130, 170, 210],
  ];
  const [h, w] = [2, 3];
  /** The block that is seen at (x, y). */
  const seen: { readonly [orientation: number]: (x: number, y: number) => readonly [x: number, y: number] } = {
    1: (x, y) => [x, y],
    2: (x, y) => [w - 1 - x, y],
    3: (x, y) => [w - 1 - x, h - 1 - y],
    4: (x, y) => [x, h - 1 - y],
    5: (x, y) => [y, x],
    6: (x, y) => [y, h - 1 - x],
    7: (x, y) => [w - 1 - y, h - 1 - x],
    8: (x, y) => [w - 1 - y, x],
  };
  const upright = seen[1] as (typeof seen)[number];
  /** Checks every pixel. */
  const looks = async (bytes: Uint8Array, from: (typeof seen)[number], turned: boolean) => {
    const { width, height, channels, data } = await decode(bytes);
    expect([width, height, channels]).toEqual(turned ? [8 * h, 8 * w, 1] : [8 * w, 8 * h, 1]);
    const expected = Array.from({ length: width * height }, (_, i) => {
      const [x, y] = from(Math.floor((i % width) / 8), Math.floor(i / width / 8));
      return stored[y]?.[x];
    });
    expect([...data]).toEqual(expected);
  };

  for (const order of ['MM', 'II'] as const)
    it.each([1, 2, 3, 4, 5, 6, 7, 8])(`is looked at as orientation %d says, ${order}`, async (orientation) => {
      const from = seen[orientation] as (typeof seen)[number];
      await looks(jpegOfBlocks(stored, exif(orientation, order)), from, orientation > 4);
    });

  it('stays as it is without one, or with one that does not exist or is cut', async () => {
    const app0 = [0xff, 0xe0, 0, 16, ...Buffer.from('JFIF\0'), 1, 1, 0, 0, 1, 0, 1, 0, 0];
    await looks(jpegOfBlocks(stored, []), upright, false);
    await looks(jpegOfBlocks(stored, app0), upright, false);
    for (const orientation of [0, 9, 300]) await looks(jpegOfBlocks(stored, exif(orientation)), upright, false);
    const whole = exif(6);
    for (const length of [8, 12, 18, 30]) {
      const cut = whole.slice(0, 4 + length).with(3, length + 2);
      await looks(jpegOfBlocks(stored, cut), upright, false);
    }
    await looks(jpegOfBlocks(stored, [...app0, ...exif(6)]), seen[6] as (typeof seen)[number], true);
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
  interlaced = false,
) {
  const chunk = (name: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(name), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const header = Buffer.from([0, 0, 0, width, 0, 0, 0, height, depth, type, 0, 0, interlaced ? 1 : 0]);
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

  // Adam7: every pixel of 8 x 8 belongs to one of seven passes, each a picture of its own.
  const PASS = ['16462646', '77777777', '56565656', '77777777', '36463646', '77777777', '56565656', '77777777'];
  const passOf = (x: number, y: number) => Number(PASS[y % 8]?.[x % 8]);
  /** Scan lines of samples of `depth` bits, packed. */
  const packed = (row: number[], depth: number): number[] => {
    const bits = row.map((value) => value.toString(2).padStart(depth, '0')).join('');
    return (bits.match(/.{1,8}/g) ?? []).map((byte) => Number.parseInt(byte.padEnd(8, '0'), 2));
  };

  it.each([
    ['grey of 1 bit', 1, 0, 1],
    ['grey of 2 bits', 2, 0, 1],
    ['grey of 4 bits', 4, 0, 1],
    ['grey', 8, 0, 1],
    ['grey of 16 bits', 16, 0, 1],
    ['RGB', 8, 2, 3],
    ['RGB of 16 bits', 16, 2, 3],
    ['a palette of 2 bits', 2, 3, 1],
    ['grey and alpha', 8, 4, 2],
    ['RGB and alpha', 8, 6, 4],
  ])('interlaced is the image that it is without: %s', async (_, depth, type, samples) => {
    const palette: [string, number[]][] = type === 3 ? [['PLTE', [9, 8, 7, 60, 50, 40, 255, 1, 2, 0, 200, 100]]] : [];
    for (const [width, height] of [
      [1, 1],
      [2, 3],
      [4, 1],
      [5, 5],
      [8, 8],
      [9, 17],
      [13, 6],
    ] as const) {
      const pixel = (x: number, y: number) =>
        Array.from({ length: samples }, (_, c) => (7 * x + 29 * y + 83 * c + x * y * 5) % 2 ** depth);
      const lines = (chosen: (x: number, y: number) => boolean) =>
        Array.from({ length: height }, (_, y) =>
          Array.from({ length: width }, (_, x) => (chosen(x, y) ? pixel(x, y) : [])).flat(),
        )
          .filter((row) => row.length > 0)
          .map((row) => packed(row, depth));
      const passes = [1, 2, 3, 4, 5, 6, 7].flatMap((pass) => lines((x, y) => passOf(x, y) === pass));
      const plain = await decode(
        png(
          width,
          height,
          depth,
          type,
          lines(() => true),
          palette,
        ),
      );
      expect(await decode(png(width, height, depth, type, passes, palette, true))).toEqual(plain);
      const short = png(width, height, depth, type, passes.slice(0, -1), palette, true);
      await expect(decode(short)).rejects.toThrow(/its pixels end \d+ bytes too early/);
    }
  });

  it('is refused where it is damaged or ends early', async () => {
    const whole = png(3, 1, 8, 0, [[1, 2, 3]]);
    await expect(decode(whole.with(45, 99))).rejects.toThrow('check sum of its chunk IDAT');
    await expect(decode(whole.subarray(0, 50))).rejects.toThrow('ends before its last chunk');
    await expect(decode(png(3, 2, 8, 0, [[1, 2, 3]]))).rejects.toThrow('its pixels end 4 bytes too early');
  });
});
