import { createHash } from 'node:crypto';
import type { ImageArrays } from './dataset.ts';
import { fingerprinted, fingerprintText } from './fingerprint.ts';

/** Images in memory as one word: their number and shape, and a hash of pixels, labels and class names. */
export function imagesFingerprint(arrays: ImageArrays): string {
  const hash = createHash('sha256');
  for (const bytes of fingerprinted(arrays)) hash.update(bytes);
  return fingerprintText(arrays, hash.digest('hex'));
}
