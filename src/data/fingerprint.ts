import type { ImageArrays } from './dataset.ts';

/** What the fingerprint of images hashes, in order: class names, labels and pixels. */
export function fingerprinted({ classNames, labels, images }: ImageArrays): readonly Uint8Array[] {
  const bytes = new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength);
  return [new TextEncoder().encode(JSON.stringify(classNames)), bytes, images];
}

/** Images in memory as one word: their number and shape, and the SHA-256 of what is `fingerprinted`, in hexadecimal. */
export function fingerprintText({ channels, height, width, labels }: ImageArrays, sha256: string): string {
  return `${labels.length} of ${channels}x${height}x${width}, ${sha256.slice(0, 16)}`;
}

/** The fingerprint of images by WebCrypto, which pages have: the same text as in Node. It takes a copy of them meanwhile. */
export async function fingerprintOf(arrays: ImageArrays): Promise<string> {
  const whole = await new Blob(fingerprinted(arrays) as Uint8Array<ArrayBuffer>[]).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', whole));
  return fingerprintText(arrays, Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join(''));
}
