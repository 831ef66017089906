import { describe, expect, test } from 'vitest';
import { datasetBatches } from '../../src/data/batches.ts';
import { DataError } from '../../src/data/dataset.ts';
import { batchIndices, datasetIndex } from '../../src/data/order.ts';
import { shapesDataset } from '../../src/data/shapes.ts';

const epochOf = (seed: number, size: number, epoch: number) =>
  Array.from({ length: size }, (_, i) => datasetIndex(seed, size, epoch * size + i));
const sorted = (values: Iterable<number>) => [...values].sort((a, b) => a - b);

describe('datasetIndex', () => {
  test('each epoch visits each item once, at any size', () => {
    for (const size of [1, 2, 3, 4, 5, 7, 8, 9, 31, 64, 100, 257, 1000, 1025]) {
      const all = Array.from({ length: size }, (_, i) => i);
      for (const epoch of [0, 1, 5]) expect(sorted(epochOf(3, size, epoch))).toEqual(all);
    }
  });

  test('epochs and seeds, also above 32 bits, give different orders', () => {
    const orders = [
      epochOf(1, 100, 0),
      epochOf(1, 100, 1),
      epochOf(2, 100, 0),
      epochOf(1 + 2 ** 32, 100, 0),
      epochOf(1, 100, 2 ** 32),
    ];
    expect(new Set(orders.map(String)).size).toBe(orders.length);
  });

  test('an item lands in every place about equally often over the epochs', () => {
    for (const size of [3, 10]) {
      const counts = new Float64Array(size * size);
      const epochs = 4000;
      for (let epoch = 0; epoch < epochs; epoch++) {
        epochOf(9, size, epoch).forEach((item, i) => {
          counts[i * size + item]!++;
        });
      }
      const expected = epochs / size;
      // Six standard deviations of a binomial count.
      const slack = 6 * Math.sqrt(expected * (1 - 1 / size));
      for (const count of counts) expect(Math.abs(count - expected)).toBeLessThan(slack);
    }
  });

  test('neighbours do not stay neighbours', () => {
    const order = epochOf(4, 1000, 0);
    const steps = order.slice(1).filter((item, i) => Math.abs(item - order[i]!) === 1).length;
    expect(steps).toBeLessThan(15);
  });

  test('works at the largest size', () => {
    const items = Array.from({ length: 1000 }, (_, i) => datasetIndex(5, 2 ** 32, 2 ** 32 - 1 - i));
    expect(new Set(items).size).toBe(1000);
    expect(items.every((item) => Number.isInteger(item) && item >= 0 && item < 2 ** 32)).toBe(true);
  });

  test('bad arguments throw', () => {
    for (const [seed, size, position] of [
      [0, 0, 0],
      [0, 2 ** 33, 0],
      [0, 1.5, 0],
      [-1, 4, 0],
      [0, 4, -1],
      [0, 4, Number.NaN],
    ] as const) {
      expect(() => datasetIndex(seed, size, position)).toThrow(/Fix: /);
    }
    expect(() => batchIndices(0, 4, 0, 0)).toThrow(/batch is 0/);
  });
});

describe('batchIndices', () => {
  test('are the positions of their step, across epochs', () => {
    for (const [size, batch] of [
      [10, 4],
      [3, 8],
      [1, 3],
    ] as const) {
      for (let step = 0; step < 6; step++) {
        const expected = Array.from({ length: batch }, (_, i) => datasetIndex(7, size, step * batch + i));
        expect([...batchIndices(7, size, step, batch)]).toEqual(expected);
      }
    }
  });

  test('are pure: asked in any order, the same', () => {
    const forward = [0, 1, 2, 3].map((step) => String(batchIndices(2, 50, step, 16)));
    const backward = [3, 2, 1, 0].map((step) => String(batchIndices(2, 50, step, 16))).reverse();
    expect(backward).toEqual(forward);
  });
});

describe('parts of a batch', () => {
  test('are together the whole batch, item by item, whoever asks', () => {
    for (const step of [0, 3, 17]) {
      const whole = batchIndices(5, 23, step, 8);
      for (const sizes of [[4, 4], [1, 5, 2], [8]]) {
        let first = 0;
        const parts = sizes.map((size) => {
          const part = batchIndices(5, 23, step, size, { first, of: 8 });
          first += size;
          return [...part];
        });
        expect(parts.flat()).toEqual([...whole]);
      }
    }
  });

  test('with their mirror images', async () => {
    const dataset = shapesDataset({ count: 11, size: 8 });
    const open = (batchSize: number, first: number) =>
      datasetBatches(dataset, { seed: 2, batchSize, flip: true, shard: { first, of: 6 } });
    for (const step of [0, 1, 5]) {
      const whole = await datasetBatches(dataset, { seed: 2, batchSize: 6, flip: true }).batch(step);
      const parts = [await open(2, 0).batch(step), await open(4, 2).batch(step)];
      expect(parts.flatMap(({ x }) => [...x])).toEqual([...whole.x]);
      expect(parts.flatMap(({ labels }) => [...labels])).toEqual([...whole.labels]);
    }
  });

  test('that the batch does not hold are refused', () => {
    for (const shard of [
      { first: 5, of: 8 },
      { first: -1, of: 8 },
      { first: 0.5, of: 8 },
      { first: 0, of: 3 },
      { first: 0, of: Number.NaN },
    ])
      expect(() => batchIndices(5, 23, 0, 4, shard)).toThrow(DataError);
    expect(() => batchIndices(5, 23, 0, 4, { first: 5, of: 8 })).toThrow('shard is { first: 5, of: 8 } for 4 samples');
  });
});
