import { createHash } from 'node:crypto';
import type { ImageArrays } from './dataset.ts';

/** Images in memory as one word: their number and shape, and a hash of pixels, labels and class names. */
export function imagesFingerprint({ channels, height, width, classNames, labels, images }: ImageArrays): string {
  const hash = createHash('sha256').update(JSON.stringify(classNames)).update(labels).update(images).digest('hex');
  return `${labels.length} of ${channels}x${height}x${width}, ${hash.slice(0, 16)}`;
}
