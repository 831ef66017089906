import { DataError, type Dataset } from '../../../src/data/dataset.ts';
import { uniform01 } from '../../../src/rng/philox.ts';

/** Points of the plane as images of one pixel and two channels: a DiT of one token learns them, and its flow can be drawn. */
export const TOYS = ['moons', 'spirals', 'rings', 'checkers'] as const;
export type ToyName = (typeof TOYS)[number];

const CLASSES = 2;
/** Stream of the random numbers of toys, apart from those of a training. */
const STREAM = 90;

export const isToy = (name: string): name is ToyName => (TOYS as readonly string[]).includes(name);

/** A point of a class, of uniform numbers u and v, in -1..1; w spreads it across the line that it is on. */
const POINTS: { readonly [name in ToyName]: (label: number, u: number, v: number, w: number) => [number, number] } = {
  moons: (label, u, _, w) => {
    const angle = Math.PI * u;
    const r = 0.6 + 0.12 * (w - 0.5);
    const [x, y] = [r * Math.cos(angle), r * Math.sin(angle)];
    return label === 0 ? [x - 0.3, y - 0.2] : [0.3 - x, 0.2 - y];
  },
  spirals: (label, u, _, w) => {
    const r = 0.12 + 0.8 * Math.sqrt(u) + 0.05 * (w - 0.5);
    const angle = 1.6 * Math.PI * Math.sqrt(u) + Math.PI * label;
    return [r * Math.cos(angle), r * Math.sin(angle)];
  },
  rings: (label, u, _, w) => {
    const r = (label === 0 ? 0.35 : 0.85) + 0.08 * (w - 0.5);
    return [r * Math.cos(2 * Math.PI * u), r * Math.sin(2 * Math.PI * u)];
  },
  checkers: (label, u, v, w) => {
    const cell = Math.floor(8 * w); // the black or the white ones of 4 x 4
    const row = Math.floor(cell / 2);
    const column = 2 * (cell % 2) + ((row + label) % 2);
    return [(column + u) / 2 - 1, (row + v) / 2 - 1];
  },
};

/** Points of a shape; point i is a function of (name, i). @throws DataError for another name. */
export function toyDataset(name: string, count = 20_000): Dataset {
  if (!isToy(name)) throw new DataError(`there is no toy ${name}`, `use ${TOYS.join(', ')}`);
  const point = POINTS[name];
  const seed = TOYS.indexOf(name);
  return {
    name,
    size: count,
    channels: 2,
    height: 1,
    width: 1,
    numClasses: CLASSES,
    classNames: ['first', 'second'],
    labels: Uint32Array.from({ length: count }, (_, i) => i % CLASSES),
    image(index, out, offset) {
      const draw = (k: number) => uniform01(seed, STREAM, 0, 3 * index + k);
      out.set(point(index % CLASSES, draw(0), draw(1), draw(2)), offset);
    },
  };
}
