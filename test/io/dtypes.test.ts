import { describe, expect, it } from 'vitest';
import { toFloat32 } from '../../src/io/dtypes.ts';
import { float32ToHalf } from '../../src/kernel/index.ts';

describe('halves', () => {
  it('are read back from every half, and rounded to the nearest, ties to even', () => {
    const halves = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const values = toFloat32({ dtype: 'F16', data: new Uint8Array(halves.buffer) });
    const back = float32ToHalf(values);
    for (let i = 0; i < 65536; i++) {
      if (Number.isNaN(values[i])) expect(back[i]! & 0x7fff).toBe(0x7e00);
      else if (back[i] !== i) expect([i, back[i]]).toEqual([i, i]);
    }
    const up = new Float32Array(1);
    const bits = new Uint32Array(up.buffer);
    for (let i = 0; i < 0x7c00; i++) {
      const [low, high] = [values[i]!, i === 0x7bff ? 65536 : values[i + 1]!];
      const middle = (low + high) / 2; // exact: a float has thirteen bits more
      up[0] = middle;
      bits[0]!--;
      const below = up[0];
      bits[0]! += 2;
      const got = float32ToHalf(Float32Array.of(middle, -middle, below, up[0]));
      const even = i % 2 === 0 ? i : i + 1;
      const expected = [even, 0x8000 | even, i, i + 1];
      if (expected.some((half, k) => half !== got[k])) expect([i, ...got]).toEqual([i, ...expected]);
    }
    expect([...float32ToHalf(Float32Array.of(65519.996, 65520, 1e30, 1e-30))]).toEqual([0x7bff, 0x7c00, 0x7c00, 0]);
  });
});
