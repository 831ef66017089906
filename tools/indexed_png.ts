import { crc32, deflateSync } from 'node:zlib';
import { PNG } from 'pngjs';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const MOST_COLOURS = 256;
const INDEXED = 3;

/**
 * A picture as a PNG of at most 256 colours: as many bits of each are kept as that allows, five at most, which nobody tells from eight in
 * a screenshot and which takes a third of the bytes. Transparency is left out.
 */
export function indexedPng(bytes: Buffer): Buffer {
  const image = PNG.sync.read(bytes);
  for (let bits = 5; bits > 1; bits--) {
    const indexed = indices(image, bits);
    if (indexed) return encoded(image, indexed);
  }
  throw new Error('a picture of more than 256 colours at two bits each');
}

interface Indexed {
  readonly palette: readonly number[];
  /** A row after the other, each with its filter (none) before it. */
  readonly rows: Uint8Array;
}

/** The colour of each pixel as its place in a palette; undefined where there are too many. */
function indices({ width, height, data }: PNG, bits: number): Indexed | undefined {
  const most = 2 ** bits - 1;
  const rounded = (value: number) => Math.round((Math.round((value * most) / 255) * 255) / most);
  const places = new Map<number, number>();
  const rows = new Uint8Array(height * (width + 1));
  for (let i = 0; i < width * height; i++) {
    const [r, g, b] = [0, 1, 2].map((c) => rounded(data[4 * i + c] as number)) as [number, number, number];
    const colour = (r << 16) | (g << 8) | b;
    const place = places.get(colour) ?? places.size;
    if (place === MOST_COLOURS) return undefined;
    places.set(colour, place);
    rows[i + Math.floor(i / width) + 1] = place;
  }
  return { palette: [...places.keys()], rows };
}

function encoded({ width, height }: PNG, { palette, rows }: Indexed): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, INDEXED, 0, 0, 0], 8);
  const colours = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]));
  const parts = [chunk('IHDR', head), chunk('PLTE', colours), chunk('IDAT', deflateSync(rows, { level: 9 }))];
  return Buffer.concat([SIGNATURE, ...parts, chunk('IEND', Buffer.alloc(0))]);
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'ascii'), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, check]);
}
