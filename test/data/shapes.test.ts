import { describe, expect, test } from 'vitest';
import { DataError } from '../../src/data/dataset.ts';
import { shapesDataset } from '../../src/data/shapes.ts';

const draw = (index: number, options: { size?: number; seed?: number } = {}) => {
  const dataset = shapesDataset({ count: 600, ...options });
  const out = new Float32Array(dataset.height * dataset.width);
  dataset.image(index, out, 0);
  return out;
};

describe('shapesDataset', () => {
  test('is a pure function of seed and index', () => {
    expect(draw(8)).toEqual(draw(8));
    expect(draw(8)).not.toEqual(draw(14));
    expect(draw(8)).not.toEqual(draw(8, { seed: 1 }));
    expect(draw(8, { seed: 1 })).not.toEqual(draw(8, { seed: 1 + 2 ** 32 }));
    const dataset = shapesDataset({ count: 14 });
    expect([...dataset.labels]).toEqual([0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1]);
    expect(dataset.classNames).toEqual(['circle', 'square', 'triangle', 'cross', 'ring', 'stripes']);
  });

  test('stays in -1..1, inside the frame, with soft edges, at any size', () => {
    for (const size of [8, 15, 32, 64]) {
      for (let index = 0; index < 60; index++) {
        const image = draw(index, { size });
        let lit = 0;
        let soft = 0;
        let outside = 0; // counted: an expectation for each of 300,000 values takes seconds
        for (const value of image) {
          if (!(value >= -1 && value <= 1)) outside++;
          if (value > -1) lit++;
          if (value > -0.9 && value < 0.1) soft++;
        }
        expect(outside).toBe(0);
        expect(lit).toBeGreaterThan(0.06 * size * size);
        expect(lit).toBeLessThan(0.8 * size * size);
        expect(soft).toBeGreaterThan(0);
        // At 8 pixels a thin ring may be soft all over.
        if (size > 8) expect(soft).toBeLessThan(lit);
      }
    }
  });

  test('the area of a circle is that of its radius: the outline is anti-aliased without bias', () => {
    const image = draw(0, { size: 64 });
    const top = image.reduce((a, b) => Math.max(a, b), -1) + 1;
    const area = image.reduce((sum, value) => sum + (value + 1) / top, 0);
    const rows = Array.from({ length: 64 }, (_, y) => image.subarray(y * 64, y * 64 + 64));
    const diameter = Math.max(...rows.map((row) => row.reduce((sum, value) => sum + (value + 1) / top, 0)));
    expect(area / (Math.PI * (diameter / 2) ** 2)).toBeCloseTo(1, 1);
  });

  test('bad options throw with the fix', () => {
    expect(() => shapesDataset({ size: 7 })).toThrow(/size is 7. Fix: choose a whole size of at least 8/);
    expect(() => shapesDataset({ count: 0 })).toThrow(/count is 0/);
    expect(() => shapesDataset({ seed: -1 })).toThrow(/seed is -1/);
    expect(() => shapesDataset().image(60000, new Float32Array(1024), 0)).toThrow(DataError);
  });
});
