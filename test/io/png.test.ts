import { decode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { encodeGrid, imageGrid } from '../../src/io/png.ts';

describe('sample grids', () => {
  it('places images row by row with a gap of two, clips, and draws NaN black', () => {
    const samples = [-1, 1, 0, 5, -7, Number.NaN];
    const { width, height, data } = imageGrid(samples, { n: 3, c: 1, h: 1, w: 2, columns: 2 });
    expect([width, height]).toEqual([6, 4]);
    expect([...data.subarray(0, 6)]).toEqual([0, 255, 0, 0, 128, 255]);
    expect([...data.subarray(18)]).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('turns planes into RGB pixels, and PNG readers read it', () => {
    const picture = decode(encodeGrid([-1, 1, 0], { n: 1, c: 3, h: 1, w: 1, columns: 8 }));
    expect(picture).toMatchObject({ width: 1, height: 1, channels: 3, depth: 8 });
    expect([...picture.data]).toEqual([0, 255, 128]);
  });

  it('refuses latents', () => {
    expect(() => imageGrid([0, 0, 0, 0], { n: 1, c: 4, h: 1, w: 1, columns: 1 })).toThrow('4 channels');
  });
});
