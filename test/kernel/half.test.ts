import { expect, it } from 'vitest';
import { float32ToHalf, halfToFloat32 } from '../../src/kernel/index.ts';

const ALL = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

/** IEEE 754: sign, exponent and fraction of binary16. */
function numberOf(bits: number): number {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

it('every half is the float of its value, zeros with their sign', () => {
  halfToFloat32(ALL).forEach((value, bits) => {
    if (!Object.is(value, numberOf(bits))) expect(value, `half ${bits}`).toBe(numberOf(bits));
  });
});

it('every half comes back from its float; a NaN as one', () => {
  float32ToHalf(halfToFloat32(ALL)).forEach((back, bits) => {
    if (Number.isNaN(numberOf(bits))) expect(Number.isNaN(numberOf(back)), `half ${bits}`).toBe(true);
    else if (back !== bits) expect(back, `half ${bits}`).toBe(bits);
  });
});
