import { checkImageRange, DataError, type Dataset } from './dataset.ts';

const CLASSES = ['circle', 'square', 'triangle', 'cross', 'ring', 'stripes'];
const SMALLEST = 8;

/** Uniform draws in 0..1, a pure function of (seed, index, draw): a Weyl step and a multiply-and-fold finaliser. */
function drawsOf(seed: number, index: number): () => number {
  let state = Math.imul(seed >>> 0, 0x9e3779b1) ^ Math.imul(Math.floor(seed / 2 ** 32) + 1, 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) ^ Math.imul(index + 1, 0xc2b2ae35);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** Distance to the edge of a box of half sides a, b: negative inside; outside it is that to the nearest side's line. */
const box = (x: number, y: number, a: number, b: number) => Math.max(Math.abs(x) - a, Math.abs(y) - b);

/**
 * The six shapes, each inside the unit circle around the origin, as a distance to the outline (negative inside). Exact along the
 * sides, which is all that anti-aliasing over one pixel needs.
 */
const OUTLINES: ((x: number, y: number) => number)[] = [
  (x, y) => Math.hypot(x, y) - 0.85,
  (x, y) => box(x, y, 0.68, 0.68),
  // An equilateral triangle is the meet of three half planes at half its circumradius.
  (x, y) => Math.max(-y, 0.5 * y + 0.8660254 * x, 0.5 * y - 0.8660254 * x) - 0.5,
  (x, y) => Math.min(box(x, y, 0.95, 0.27), box(x, y, 0.27, 0.95)),
  (x, y) => Math.abs(Math.hypot(x, y) - 0.72) - 0.2,
  // Bars of width 0.28 every 0.5, cut off by a square.
  (x, y) => Math.max(Math.abs(y - 0.5 * Math.round(y / 0.5)) - 0.14, box(x, y, 0.66, 0.66)),
];

/** Shape, size and seed of the drawn dataset. */
export interface ShapesOptions {
  /** Number of images; 60,000 when left out. */
  count?: number;
  /** Height and width, at least 8; 32 when left out. */
  size?: number;
  /** 0 when left out. */
  seed?: number;
}

/**
 * A drawn grey dataset, [1, size, size]: circle, square, triangle, cross, ring, stripes (label = index mod 6), each at a random
 * place, size, rotation and brightness on -1, anti-aliased. Image i is a pure function of (seed, i, size), drawn when asked for.
 * Throws DataError on a count below 1, a size below 8 or a seed that is negative or no safe integer.
 */
export function shapesDataset(options: ShapesOptions = {}): Dataset {
  const { count = 60000, size = 32, seed = 0 } = options;
  if (!Number.isInteger(size) || size < SMALLEST) {
    throw new DataError(`shapes: size is ${size}`, `choose a whole size of at least ${SMALLEST}`);
  }
  if (!Number.isInteger(count) || count < 1 || count > 2 ** 31) {
    throw new DataError(`shapes: count is ${count}`, 'choose a whole count from 1 to 2^31');
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new DataError(`shapes: seed is ${seed}`, 'choose a whole seed from 0 to 2^53 - 1');
  }
  const dataset: Dataset = {
    name: 'shapes',
    size: count,
    channels: 1,
    height: size,
    width: size,
    numClasses: CLASSES.length,
    classNames: [...CLASSES],
    labels: Uint32Array.from({ length: count }, (_, index) => index % CLASSES.length),
    image(index, out, offset) {
      checkImageRange(dataset, index, out, offset);
      const outline = OUTLINES[index % CLASSES.length]!;
      const draw = drawsOf(seed, index);
      const radius = size * (0.26 + 0.18 * draw());
      const room = size / 2 - radius;
      const centreX = size / 2 + room * (2 * draw() - 1);
      const centreY = size / 2 + room * (2 * draw() - 1);
      const angle = 2 * Math.PI * draw();
      const brightness = 0.6 + 0.4 * draw();
      const cos = Math.cos(angle) / radius;
      const sin = Math.sin(angle) / radius;
      for (let row = 0; row < size; row++) {
        for (let col = 0; col < size; col++) {
          const x = col + 0.5 - centreX;
          const y = row + 0.5 - centreY;
          // Distance in pixels; the part of the pixel inside falls from 1 to 0 over the pixel that the outline crosses.
          const distance = outline(cos * x + sin * y, cos * y - sin * x) * radius;
          const cover = Math.min(1, Math.max(0, 0.5 - distance));
          out[offset + row * size + col] = 2 * brightness * cover - 1;
        }
      }
    },
  };
  return dataset;
}
