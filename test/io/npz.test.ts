import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { unzipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { NpzWriter } from '../../src/io/npz.node.ts';
import { imageBytes } from '../../src/io/png.ts';
import { failure, useFolder } from './folder.ts';

describe('npz', () => {
  const path = useFolder();

  it('holds arrays as NumPy writes them, from pieces, the same bytes each time', () => {
    const write = (name: string) => {
      const file = new NpzWriter(path(name));
      file.begin('arr_0', '|u1', [2, 1, 3]);
      file.push(Uint8Array.of(1, 2));
      file.push(Uint8Array.of(3, 4, 5, 6));
      file.begin('arr_1', '<i8', [2]);
      file.push(new Uint8Array(BigInt64Array.of(7n, -1n).buffer));
      expect(existsSync(path(name))).toBe(false);
      file.close();
      return readFileSync(path(name));
    };
    const bytes = write('a.npz');
    const files = unzipSync(bytes);
    expect(Object.keys(files)).toEqual(['arr_0.npy', 'arr_1.npy']);
    const text = (at: Uint8Array) => Buffer.from(at).toString('latin1');
    const first = files['arr_0.npy'] as Uint8Array;
    expect(text(first.subarray(0, 10))).toBe('\x93NUMPY\x01\x00\x76\x00');
    expect(text(first.subarray(10, 128))).toMatch(
      /^\{'descr': '\|u1', 'fortran_order': False, 'shape': \(2, 1, 3\), \} *\n$/,
    );
    expect([...first.subarray(128)]).toEqual([1, 2, 3, 4, 5, 6]);
    const second = files['arr_1.npy'] as Uint8Array;
    expect(text(second)).toContain("'shape': (2,), }");
    expect(new BigInt64Array(second.slice(128).buffer)).toEqual(BigInt64Array.of(7n, -1n));
    expect(write('b.npz').equals(bytes)).toBe(true);
  });

  it('leaves nothing behind when it is discarded, and names a place that cannot be written', () => {
    const file = new NpzWriter(path('c.npz'));
    file.begin('arr_0', '|u1', [1]);
    file.discard();
    expect(readdirSync(path())).toEqual([]);
    expect(failure(() => new NpzWriter(path('no', 'd.npz')))).toMatchObject({ code: 'write' });
  });

  it('takes images with their channels last', () => {
    const samples = Float32Array.of(-1, 1, 0, 2, -2, -1); // [1, 3, 1, 2]
    expect([...imageBytes(samples, 3, 2)]).toEqual([0, 128, 0, 255, 255, 0]);
  });
});
