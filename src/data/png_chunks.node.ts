import { crc32, inflateSync } from 'node:zlib';

/**
 * A PNG file's bytes up to the end of its last chunk: some programs put data behind it.
 * @throws Error where the file ends before, for a chunk whose check sum is wrong, and for too few pixels (which the decoder would
 * fill with zeros).
 */
export function wholePng(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data: Uint8Array[] = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const end = at + 8 + length;
    if (end + 4 > bytes.length) break;
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end))
      throw new Error(`the check sum of its chunk ${name} is wrong`);
    if (name === 'IDAT') data.push(bytes.subarray(at + 8, end));
    at = end + 4;
    if (name === 'IEND') {
      const missing = scanBytes(view) - inflateSync(Buffer.concat(data)).length;
      if (missing > 0) throw new Error(`its pixels end ${missing} bytes too early`);
      return bytes.subarray(0, at);
    }
  }
  throw new Error('the file ends before its last chunk');
}

/** Left, top, and distances of the pixels of each pass of an interlaced PNG (Adam7). */
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Channels by colour type. */
const CHANNELS: { readonly [type: number]: number } = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** Bytes of all scan lines that a PNG's header promises, each with its filter. */
function scanBytes(view: DataView): number {
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const bits = view.getUint8(24) * (CHANNELS[view.getUint8(25)] ?? 0);
  const passes = view.getUint8(28) === 0 ? [[0, 0, 1, 1] as const] : PASSES;
  return passes.reduce((sum, [left, top, across, down]) => {
    const [w, h] = [Math.ceil((width - left) / across), Math.ceil((height - top) / down)];
    return w > 0 && h > 0 ? sum + h * (1 + Math.ceil((w * bits) / 8)) : sum;
  }, 0);
}
