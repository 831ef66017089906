import { describe, expect, it } from 'vitest';
import { halfToNumber, numberToHalf } from '../../src/io/dtypes.ts';

describe('half precision', () => {
  it('keeps every half, NaN included', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = halfToNumber(bits);
      if (Number.isNaN(value)) expect(halfToNumber(numberToHalf(value))).toBeNaN();
      else expect(numberToHalf(value)).toBe(bits);
    }
  });

  it('rounds to the nearest, and ties to the even one', () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const [low, high] = [halfToNumber(bits), halfToNumber(bits + 1)];
      const middle = (low + high) / 2; // exact in f32
      expect(numberToHalf(middle)).toBe(bits % 2 === 0 ? bits : bits + 1);
      expect(numberToHalf(low + (high - low) * 0.49)).toBe(bits);
      expect(numberToHalf(low + (high - low) * 0.51)).toBe(bits + 1);
      expect(numberToHalf(-middle)).toBe(0x8000 | (bits % 2 === 0 ? bits : bits + 1));
    }
  });

  it('overflows to infinity from 65,520 on', () => {
    expect(numberToHalf(65519)).toBe(0x7bff);
    expect(numberToHalf(65520)).toBe(0x7c00);
    expect(numberToHalf(1e30)).toBe(0x7c00);
    expect(numberToHalf(Number.NEGATIVE_INFINITY)).toBe(0xfc00);
  });
});
