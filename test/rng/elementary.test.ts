import { expect, it } from 'vitest';
import { cos, exp, log, power } from '../../src/rng/elementary.ts';
import { uniform01 } from '../../src/rng/philox.ts';

const EPSILON = 2 ** -52;
const draws = Array.from({ length: 4000 }, (_, i) => uniform01(5, 0, 0, i));
const error = (value: number, exact: number) => Math.abs(value - exact) / Math.max(Math.abs(exact), Number.MIN_VALUE);

it('logarithm and exponential are exact to a few units in the last place', () => {
  for (const u of draws) {
    const x = 10 ** (600 * (u - 0.5));
    expect(error(log(x), Math.log(x))).toBeLessThan(4 * EPSILON);
    const near = 1 + (u - 0.5) / 8; // where a logarithm cancels
    expect(error(log(near), Math.log(near))).toBeLessThan(8 * EPSILON);
    const y = 1400 * (u - 0.5);
    expect(error(exp(y), Math.exp(y))).toBeLessThan(8 * EPSILON);
  }
  expect([log(1), log(0), exp(0), exp(-1e4), exp(1e4)]).toEqual([0, -Infinity, 1, 0, Infinity]);
  expect(exp(NaN)).toBeNaN();
});

it('a power of a number from 0 to 1 has the error of its exponent', () => {
  for (const u of draws) {
    if (u === 0) continue;
    for (const y of [0.5, 2 / 3, 1.25, 8])
      expect(error(power(u, y), u ** y)).toBeLessThan((8 + 2 * Math.abs(y * Math.log(u))) * EPSILON);
  }
  expect(power(0, 1.5)).toBe(0);
  expect(power(1, 7)).toBe(1);
});

it('the cosine from 0 to pi is exact to units in the last place of 1', () => {
  for (const u of draws) expect(Math.abs(cos(Math.PI * u) - Math.cos(Math.PI * u))).toBeLessThan(2 * EPSILON);
  expect([cos(0), cos(Math.PI)]).toEqual([1, -1]);
});
