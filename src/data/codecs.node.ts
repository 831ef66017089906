import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const load = (path: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(createRequire(import.meta.url).resolve(path)));

/** The decoders' WebAssembly, from the packages; the build puts this file's twin with the bytes themselves in its place. */
export const jpegWasm = (): Uint8Array<ArrayBuffer> => load('@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm');
export const webpWasm = (): Uint8Array<ArrayBuffer> => load('@jsquash/webp/codec/dec/webp_dec.wasm');
