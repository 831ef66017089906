import { describe, expect, it } from 'vitest';
import { normal, normalFrom, philox4x32, STREAM, uniform01, uniformU32 } from '../../src/rng/philox.ts';
import { generate, normalTable, quantile, upperTail } from '../../tools/make-normal-table.ts';

const density = (z: number) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);

/** sqrt(n) times the largest distance between the sample's distribution and cdf; 1.95 is passed once in a thousand. */
function kolmogorov(sample: Float64Array, cdf: (x: number) => number): number {
  const n = sample.length;
  const distance = sample.sort().reduce((worst, x, i) => Math.max(worst, Math.abs(cdf(x) - (i + 0.5) / n)), 0);
  return Math.sqrt(n) * (distance + 0.5 / n);
}

describe('philox', () => {
  it('gives the published vectors of Philox 4x32-10', () => {
    const ones = 0xffffffff;
    expect([...philox4x32([0, 0, 0, 0], [0, 0])]).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    expect([...philox4x32([ones, ones, ones, ones], [ones, ones])]).toEqual([
      0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd,
    ]);
    expect([...philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])]).toEqual([
      0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1,
    ]);
  });

  it('counts words by (block, use 0, step) under the key (seed, stream)', () => {
    const step = 5 * 2 ** 32 + 0x89abcdef;
    const block = philox4x32([1 << 20, 0, 0x89abcdef, 5], [0xfedcba98, STREAM.sample]);
    for (let i = 0; i < 4; i++) expect(uniformU32(0xfedcba98, STREAM.sample, step, 2 ** 22 + i)).toBe(block[i]);
    expect(uniform01(0xfedcba98, STREAM.sample, step, 2 ** 22)).toBe(((block[0] as number) >>> 8) / 2 ** 24);
  });

  it('gives unrelated numbers for every other seed, stream, step, half of the step, and kind', () => {
    const at = [9, 2, 7] as const;
    const others: [number, number, number][] = [
      [8, 2, 7],
      [9, 3, 7],
      [9, 2, 6],
      [9, 2, 7 + 2 ** 32],
    ];
    const n = 20000;
    for (const other of others) {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += normal(...at, i) * normal(...other, i);
      expect(Math.abs(sum) / Math.sqrt(n)).toBeLessThan(4);
    }
    let sum = 0;
    for (let i = 0; i < n; i++) sum += normal(...at, i) * (uniform01(...at, i) - 0.5);
    expect(Math.abs(sum) / Math.sqrt(n / 12)).toBeLessThan(4);
  });

  it('has uniform numbers in [0, 1) that pass chi-square over 256 bins', () => {
    const n = 1 << 18;
    const bins = new Float64Array(256);
    for (let i = 0; i < n; i++) {
      const u = uniform01(3, STREAM.data, 11, i);
      if (u < 0 || u >= 1) throw new Error(`number ${i} is ${u}`);
      bins[Math.floor(u * 256)]!++;
    }
    const chi = bins.reduce((sum, b) => sum + (b - n / 256) ** 2 / (n / 256), 0);
    expect(Math.abs(chi - 255)).toBeLessThan(4 * Math.sqrt(2 * 255));
  });
});

describe('normal', () => {
  it('stands on a tail that agrees with tabulated values', () => {
    expect(upperTail(1)).toBeCloseTo(0.15865525393145707, 15);
    expect(upperTail(5) / 2.866515718791939e-7).toBeCloseTo(1, 12);
    expect(upperTail(quantile(1e-7)) / 1e-7).toBeCloseTo(1, 12);
  });

  it('has the table that the tool makes, in the shader and on the host, all positive and below 2^32', () => {
    for (const { path, stale } of generate())
      expect(stale, `${path} is out of date: npx tsx tools/make-normal-table.ts`).toBe(false);
    for (const c of normalTable().flat()) expect(c > 0 && c < 2 ** 32).toBe(true);
  });

  it('is within 6e-6 of the exact inverse distribution in every octave, to 6.3 sigma', () => {
    let worst = 0;
    let largest = 0;
    for (let octave = 0; octave <= 30; octave++) {
      for (let i = 0; i < 300; i++) {
        const t = i / 299;
        const scaled = Math.min(2 ** (30 - octave) * (1 + t), 2 ** (31 - octave) - 2 ** -20); // h + lo / 2^32
        const hi = Math.floor(scaled);
        const lo = Math.floor((scaled - hi) * 2 ** 32);
        const z = normalFrom(hi, lo);
        const p = (hi + lo / 2 ** 32) / 2 ** 32;
        worst = Math.max(worst, Math.abs(upperTail(z) - p) / density(z));
        largest = Math.max(largest, z);
        expect(normalFrom((hi | 0x80000000) >>> 0, lo)).toBe(0 - z);
      }
    }
    console.log(`normal: largest deviation ${worst.toExponential(2)} up to ${largest.toFixed(2)} sigma`);
    expect(worst).toBeLessThan(6e-6);
    expect(largest).toBeGreaterThan(6.2);
  });

  it('falls with the probability across octaves and stays finite at the ends', () => {
    for (let octave = 0; octave < 30; octave++) {
      const boundary = 2 ** (30 - octave);
      expect(normalFrom(boundary - 1, 0xffffffff)).toBeGreaterThanOrEqual(normalFrom(boundary, 0) - 1e-5);
    }
    for (let i = 0; i < 4096; i++) {
      const z = normalFrom(0x7fffffff - i, 0xffffffff);
      expect(z >= 0 && z < 6e-6 + (i / 2 ** 32) * 2.6).toBe(true);
    }
    expect(normalFrom(0, 0)).toBeLessThan(6.35);
    expect(normalFrom(0, 0)).toBeGreaterThan(6.33);
  });

  it('has the moments of a million numbers within 4 sigma, and passes Kolmogorov-Smirnov', () => {
    const n = 1e6;
    const sums = [0, 0, 0, 0];
    const sample = new Float64Array(100000);
    for (let i = 0; i < n; i++) {
      const z = normal(1234, STREAM.noise, 42, i);
      const square = z * z;
      sums[0]! += z;
      sums[1]! += square;
      sums[2]! += square * z;
      sums[3]! += square * square;
      if (i < sample.length) sample[i] = z;
    }
    const [first, second, third, fourth] = sums.map((s) => s / n) as [number, number, number, number];
    const sigmas = [first, (second - 1) / Math.sqrt(2), third / Math.sqrt(15), (fourth - 3) / Math.sqrt(96)];
    for (const sigma of sigmas) expect(Math.abs(sigma) * Math.sqrt(n)).toBeLessThan(4);
    expect(kolmogorov(sample, (z) => (z >= 0 ? 1 - upperTail(z) : upperTail(-z)))).toBeLessThan(1.95);
  });
});
