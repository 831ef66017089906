/** Kinds of JPEG by the marker of their frame: baseline, extended and progressive Huffman are read. */
const READ = [0xc0, 0xc1, 0xc2];

/**
 * Walks a JPEG's segments to its frame. Returns its number of components: 1 (grey) or 3.
 * @throws Error for CMYK, lossless, arithmetic and 12-bit files, and for files that end early.
 */
export function jpegComponents(bytes: Uint8Array): 1 | 3 {
  for (let at = 2; at + 9 < bytes.length; ) {
    if (bytes[at] !== 0xff) throw new Error(`no marker at byte ${at}`);
    const marker = bytes[at + 1] as number;
    if (marker === 0xff) {
      at++; // fill
      continue;
    }
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      const [bits, components] = [bytes[at + 4], bytes[at + 9]];
      if (bits !== 8) throw new Error(`${bits} bits a channel, JPEG is read with 8`);
      if (!READ.includes(marker)) throw new Error('a lossless or arithmetic JPEG, which is not read');
      if (components === 4) throw new Error('a CMYK JPEG, which is not read: convert it to RGB');
      if (components !== 1 && components !== 3) throw new Error(`${components} components`);
      if (!endsWhole(bytes)) throw new Error('the file ends before its end marker');
      return components;
    }
    at += 2 + (((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number));
  }
  throw new Error('the file ends before its frame');
}

/** An end marker somewhere: some cameras put data behind it. */
function endsWhole(bytes: Uint8Array): boolean {
  for (let at = bytes.length - 2; at > 2; at--) if (bytes[at] === 0xff && bytes[at + 1] === 0xd9) return true;
  return false;
}
