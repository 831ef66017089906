import jpegModule from '@jsquash/jpeg/codec/dec/mozjpeg_dec.js';
import webpModule from '@jsquash/webp/codec/dec/webp_dec.js';
import { PNG } from 'pngjs';
import { jpegWasm, webpWasm } from './codecs.node.ts';
import type { ReadFormat } from './image_format.ts';
import { jpegComponents } from './jpeg_header.ts';
import { wholePng } from './png_chunks.node.ts';
import type { Pixels } from './resize.ts';

/** RGBA, four bytes a pixel. */
interface Rgba {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

interface Decoder {
  decode(bytes: Uint8Array, ...options: boolean[]): Rgba | null;
}

/** One of the codecs' WebAssembly modules, made when the first file of its format comes. */
class Codec {
  readonly #factory: (options: object) => Promise<Decoder>;
  readonly #wasm: () => Uint8Array<ArrayBuffer>;
  readonly #options: boolean[];
  #compiled: WebAssembly.Module | undefined;
  #decoder: Promise<Decoder> | undefined;
  #complaints: string[] = [];

  /** @param factory Emscripten's, whose types say less. @param options further arguments of its decode: for JPEG, to turn by EXIF. */
  constructor(factory: unknown, wasm: () => Uint8Array<ArrayBuffer>, ...options: boolean[]) {
    this.#factory = factory as (options: object) => Promise<Decoder>;
    this.#wasm = wasm;
    this.#options = options;
  }

  /** @throws Error for what the decoder stops at, and for what it only warns of: such files are damaged. */
  async decode(bytes: Uint8Array): Promise<Rgba> {
    this.#decoder ??= this.#factory({
      noInitialRun: true,
      printErr: (line: string) => this.#complaints.push(line),
      instantiateWasm: (imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) => {
        this.#compiled ??= new WebAssembly.Module(this.#wasm());
        const instance = new WebAssembly.Instance(this.#compiled, imports);
        done(instance);
        return instance.exports;
      },
    });
    const decoder = await this.#decoder;
    this.#complaints = [];
    let image: Rgba | null = null;
    try {
      image = decoder.decode(bytes, ...this.#options);
    } catch (error) {
      if (error instanceof Error) this.#complaints.push(error.message);
      this.#decoder = undefined; // it has left its own program: its memory is in no known state
    }
    if (!image || this.#complaints.length > 0)
      throw new Error(this.#complaints.join('; ') || 'it is damaged or ends early');
    return image;
  }
}

const jpeg = new Codec(jpegModule, jpegWasm, true);
const webp = new Codec(webpModule, webpWasm);

/**
 * Decodes an image as it is to be looked at (a JPEG turned by its EXIF orientation) to 8 bits a channel: grey PNG and JPEG to one
 * channel, all else to RGB. Transparency is left out: the colour below it stays.
 * @throws Error saying what is wrong with the file.
 */
export async function decodeImage(bytes: Uint8Array, format: ReadFormat): Promise<Pixels> {
  if (format === 'PNG') return decodePng(bytes);
  if (format === 'JPEG') {
    const channels = jpegComponents(bytes);
    return planes(await jpeg.decode(bytes), channels);
  }
  if (isAnimated(bytes)) throw new Error('an animated WebP, which is not read: save one frame of it');
  return planes(await webp.decode(bytes), 3);
}

/** The flag of animations in a WebP's header, where it has an extended one. */
function isAnimated(bytes: Uint8Array): boolean {
  return String.fromCharCode(...bytes.subarray(12, 16)) === 'VP8X' && ((bytes[20] as number) & 2) !== 0;
}

function decodePng(bytes: Uint8Array): Pixels {
  const png = PNG.sync.read(Buffer.from(wholePng(bytes))) as Rgba & PngFacts;
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
