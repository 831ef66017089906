import jpegModule from '@jsquash/jpeg/codec/dec/mozjpeg_dec.js';
import webpModule from '@jsquash/webp/codec/dec/webp_dec.js';
import { PNG } from 'pngjs';
import { jpegWasm, webpWasm } from './codecs.node.ts';
import type { ReadFormat } from './image_format.ts';
import { jpegComponents } from './jpeg_header.ts';

/** A decoded image. */
export interface Pixels {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
  /** u8 [channels, height, width]. */
  readonly data: Uint8Array;
}

/** RGBA, four bytes a pixel. */
interface Rgba {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** A codec's module, compiled when the first file of its format comes; what it warns of goes to `complaints`. */
function codec<T>(factory: (options: object) => Promise<T>, wasm: () => Uint8Array<ArrayBuffer>): () => Promise<T> {
  let module: Promise<T> | undefined;
  return () => {
    module ??= factory({
      noInitialRun: true,
      printErr: (line: string) => complaints.push(line),
      instantiateWasm: (imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) => {
        const instance = new WebAssembly.Instance(new WebAssembly.Module(wasm()), imports);
        done(instance);
        return instance.exports;
      },
    });
    return module;
  };
}

const complaints: string[] = [];
type Factory<T> = (options: object) => Promise<T>;
const jpeg = codec(jpegModule as unknown as Factory<{ decode(b: Uint8Array, keep: boolean): Rgba | null }>, jpegWasm);
const webp = codec(webpModule as unknown as Factory<{ decode(b: Uint8Array): Rgba | null }>, webpWasm);

/**
 * Decodes an image as it is to be looked at (a JPEG turned by its EXIF orientation) to 8 bits a channel: grey PNG and JPEG to one
 * channel, all else to RGB. Transparency is left out: the colour below it stays.
 * @throws Error saying what is wrong with the file.
 */
export async function decodeImage(bytes: Uint8Array, format: ReadFormat): Promise<Pixels> {
  if (format === 'PNG') return decodePng(bytes);
  const channels = format === 'JPEG' ? jpegComponents(bytes) : 3;
  complaints.length = 0;
  const image = format === 'JPEG' ? (await jpeg()).decode(bytes, true) : (await webp()).decode(bytes);
  if (!image) throw new Error('the decoder gives up on it');
  if (complaints.length > 0) throw new Error(complaints.join('; '));
  return planes(image, channels);
}

function decodePng(bytes: Uint8Array): Pixels {
  const png = PNG.sync.read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)) as Rgba & PngFacts;
  const { data, transColor: key, depth } = png;
  if (key) {
    // The decoder blackens what the colour key makes transparent.
    const colour = key.map((value) => Math.round((value * 255) / (2 ** depth - 1)));
    for (let i = 0; i < data.length; i += 4)
      if (data[i + 3] === 0) for (let c = 0; c < 3; c++) data[i + c] = colour[c] ?? (colour[0] as number);
  }
  return planes(png, png.color ? 3 : 1);
}

interface PngFacts {
  readonly color: boolean;
  readonly depth: number;
  /** The colour that counts as transparent, where there is one. */
  readonly transColor?: readonly number[];
}

function planes({ width, height, data: rgba }: Rgba, channels: 1 | 3): Pixels {
  const pixels = width * height;
  const data = new Uint8Array(channels * pixels);
  for (let c = 0; c < channels; c++) for (let i = 0; i < pixels; i++) data[c * pixels + i] = rgba[4 * i + c] as number;
  return { channels, height, width, data };
}
