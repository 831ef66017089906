import { describe, expect, it } from 'vitest';
import { compactNumber, grouped, shortNumber } from '../../src/report/numbers.ts';

const SOME = [0, 1, -7, 12, 999, 1000, -1000, 12_345, 123_456, 1_234_567, 987_654_321];
const PARTS = [0.5, 1.25, -31.4159, 0.001234567, 12.3456, 999.96, 1234.56, -98_765.4321, 1.5e6 + 0.25];

describe('numbers for people', () => {
  it('are those of toLocaleString', () => {
    for (const value of SOME) expect(grouped(value)).toBe(value.toLocaleString('en'));
    for (const value of SOME) expect(shortNumber(value)).toBe(value.toLocaleString('en'));
    for (const value of PARTS)
      expect(shortNumber(value)).toBe(value.toLocaleString('en', { maximumSignificantDigits: 4 }));
    for (const digits of [3, 4])
      for (const value of [...SOME, ...PARTS, 999_999, 999_499, 1e9, 2.5e12, -4.4e7]) {
        const wanted = value.toLocaleString('en', { notation: 'compact', maximumSignificantDigits: digits });
        expect(compactNumber(value, digits)).toBe(wanted);
      }
  });

  it('have an exponent where zeros would be counted', () => {
    expect([0.000123, 1.5e9, -2e-7, Infinity].map(shortNumber)).toEqual(['1.23e-4', '1.50e+9', '-2.00e-7', 'Infinity']);
  });
});
