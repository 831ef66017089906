import { describe, expect, it } from 'vitest';
import {
  ChannelMoments,
  denormaliseLatents,
  evenlySpread,
  isFlipped,
  normaliseLatents,
} from '../../src/data/latents.ts';

describe('isFlipped', () => {
  it('is a fair coin, a function of seed and position', () => {
    const flips = (seed: number, from = 0) => Array.from({ length: 10_000 }, (_, i) => isFlipped(seed, from + i));
    const share = flips(1).filter(Boolean).length;
    expect(Math.abs(share - 5000)).toBeLessThan(6 * 50); // six standard deviations
    expect(flips(1)).toEqual(flips(1));
    expect(flips(1)).not.toEqual(flips(2));
    expect(flips(1)).not.toEqual(flips(1, 2 ** 32));
    const changes = flips(1).filter((flip, i, all) => i > 0 && flip !== all[i - 1]).length;
    expect(Math.abs(changes - 5000)).toBeLessThan(6 * 50);
  });
});

describe('evenlySpread', () => {
  it('takes all of few, and rises evenly through many', () => {
    expect([...evenlySpread(3, 10)]).toEqual([0, 1, 2]);
    expect([...evenlySpread(10, 4)]).toEqual([0, 2, 5, 7]);
    expect(evenlySpread(1_281_167, 10_000).at(-1)).toBe(1_281_038);
  });
});

describe('scaling of latents', () => {
  const values = Float32Array.from({ length: 3 * 2 * 50 }, (_, i) => 1000 * (i % 2) + Math.sin(i * i) * (1 + (i % 3)));

  it('is the mean and unbiased deviation by channel of a plain computation in doubles', () => {
    const moments = new ChannelMoments(2);
    moments.add(values.subarray(0, 100), 50);
    moments.add(values.subarray(100), 50);
    const { mean, std } = moments.result();
    for (const c of [0, 1]) {
      const own = [...values].filter((_, i) => Math.floor(i / 50) % 2 === c);
      const average = own.reduce((a, b) => a + b, 0) / own.length;
      const variance = own.reduce((a, b) => a + (b - average) ** 2, 0) / (own.length - 1);
      expect(mean[c]).toBe(Math.fround(average));
      expect(Math.abs(std[c]! / Math.sqrt(variance) - 1)).toBeLessThan(1e-7);
    }
  });

  it('is undone by the way back', () => {
    const scale = { mean: Float32Array.of(0.5, -3), std: Float32Array.of(2, 7), multiplier: 0.25 };
    const there = Float32Array.of(0.5, 2.5, -3, 4);
    normaliseLatents(there, 2, scale);
    expect([...there]).toEqual([0, 0.25, 0, 0.25]);
    denormaliseLatents(there, 2, scale);
    expect([...there]).toEqual([0.5, 2.5, -3, 4]);
  });
});
