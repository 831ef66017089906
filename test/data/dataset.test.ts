import { describe, expect, test } from 'vitest';
import { ArrayDataset, DataError, padTo } from '../../src/data/dataset.ts';

const arrays = () => ({
  name: 'two',
  channels: 2,
  height: 2,
  width: 3,
  classNames: ['a', 'b'],
  labels: Uint32Array.of(1, 0),
  images: Uint8Array.from({ length: 24 }, (_, i) => (i === 12 ? 255 : i * 5)),
});

describe('ArrayDataset', () => {
  test('reads u8 as -1..1 at an offset and touches nothing else', () => {
    const out = new Float32Array(14).fill(9);
    const dataset = new ArrayDataset(arrays());
    dataset.image(1, out, 1);
    expect([out[0], out[13]]).toEqual([9, 9]);
    expect(out[1]).toBe(1);
    expect(out[2]).toBeCloseTo((13 * 5) / 127.5 - 1, 6);
    dataset.image(0, out, 0);
    expect(out[0]).toBe(-1);
    expect([dataset.size, dataset.numClasses, [...dataset.labels]]).toEqual([2, 2, [1, 0]]);
  });

  test('bad arrays throw DataError with its fix', () => {
    const make = (change: object) => () => new ArrayDataset({ ...arrays(), ...change });
    expect(make({ labels: new Uint32Array(0), images: new Uint8Array(0) })).toThrow('holds no images. Fix: ');
    expect(make({ images: new Uint8Array(23) })).toThrow(/23 pixel values .*Fix: give 24 values/);
    expect(make({ labels: Uint32Array.of(0, 2) })).toThrow(/label 2 of image 1/);
    expect(make({ width: 0 })).toThrow(DataError);
  });

  test('indices and offsets out of bounds throw', () => {
    const dataset = new ArrayDataset(arrays());
    expect(() => dataset.image(2, new Float32Array(12), 0)).toThrow(
      /two has no image 2. Fix: give a whole number from 0 to 1/,
    );
    expect(() => dataset.image(0.5, new Float32Array(12), 0)).toThrow(DataError);
    expect(() => dataset.image(0, new Float32Array(12), 1)).toThrow(/do not fit/);
  });
});

describe('padTo', () => {
  test('centres each channel and fills the border with -1', () => {
    const dataset = new ArrayDataset(arrays());
    const padded = padTo(dataset, 4);
    const small = new Float32Array(12);
    dataset.image(1, small, 0);
    const out = new Float32Array(33).fill(7);
    padded.image(1, out, 1);
    expect(out[0]).toBe(7);
    for (let c = 0; c < 2; c++) {
      for (let y = 0; y < 4; y++) {
        for (let x = 0; x < 4; x++) {
          const inside = y >= 1 && y < 3 && x < 3;
          expect(out[1 + (c * 4 + y) * 4 + x]).toBe(inside ? small[(c * 2 + y - 1) * 3 + x] : -1);
        }
      }
    }
    expect([padded.height, padded.width, padded.size]).toEqual([4, 4, 2]);
  });

  test('an equal size is the dataset itself, a smaller one throws', () => {
    const dataset = new ArrayDataset({ ...arrays(), height: 1, width: 6 });
    expect(() => padTo(dataset, 5)).toThrow(/at least 6/);
    expect(() => padTo(dataset, 6.5)).toThrow(DataError);
    const square = padTo(dataset, 6);
    expect(padTo(square, 6)).toBe(square);
  });
});
