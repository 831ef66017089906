/** Formats that are read. */
export type ReadFormat = 'PNG' | 'JPEG' | 'WebP';

const text = (bytes: Uint8Array, from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to));

/** The image format that a file's first 16 bytes show, whatever its name says; undefined for none that is known. */
export function imageFormat(bytes: Uint8Array): ReadFormat | 'GIF' | 'BMP' | 'TIFF' | 'HEIF' | 'JPEG XL' | undefined {
  if (text(bytes, 0, 8) === '\x89PNG\r\n\x1a\n') return 'PNG';
  if (text(bytes, 0, 3) === '\xff\xd8\xff') return 'JPEG';
  if (text(bytes, 0, 4) === 'RIFF' && text(bytes, 8, 12) === 'WEBP') return 'WebP';
  if (/^GIF8[79]a/.test(text(bytes, 0, 6))) return 'GIF';
  if (text(bytes, 0, 2) === 'BM') return 'BMP';
  if (['II*\0', 'MM\0*'].includes(text(bytes, 0, 4))) return 'TIFF';
  if (text(bytes, 4, 8) === 'ftyp') return 'HEIF'; // AVIF too
  if (text(bytes, 0, 2) === '\xff\x0a' || text(bytes, 4, 8) === 'JXL ') return 'JPEG XL';
  return undefined;
}
