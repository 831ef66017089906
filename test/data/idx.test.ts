import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataError } from '../../src/data/dataset.ts';
import { loadIdxFolder } from '../../src/data/idx.node.ts';
import { parseIdx } from '../../src/data/idx.ts';
import { loadDataset } from '../../src/data/load.node.ts';

function idx(shape: readonly number[], data: readonly number[], type = 8): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length);
  bytes.set([0, 0, type, shape.length]);
  for (const [i, size] of shape.entries()) new DataView(bytes.buffer).setUint32(4 + 4 * i, size);
  bytes.set(data, 4 + 4 * shape.length);
  return bytes;
}

const images = idx([2, 2, 3], [0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6]);
const labels = idx([2], [3, 1]);

describe('parseIdx', () => {
  it('reads shape and data', () => {
    const { shape, data } = parseIdx(images, 'file');
    expect([shape, data[5], data.length]).toEqual([[2, 2, 3], 255, 12]);
  });

  it.each([
    ['too short', Uint8Array.of(0, 0, 8), 'too few'],
    ['no idx', Uint8Array.of(80, 78, 71, 1), 'no idx file'],
    ['floats', idx([1], [0, 0, 0, 0], 0x0d), 'type 0xd'],
    ['a cut header', images.subarray(0, 10), 'within its header'],
    ['a cut file', images.subarray(0, -1), 'takes 12 bytes, 11 follow'],
    ['a lying header', idx([4294967295, 4294967295, 4294967295], [1]), '1 follow'],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseIdx(bytes, 'file')).toThrow(message);
    expect(() => parseIdx(bytes, 'file')).toThrow(/^file.+ Fix: /);
  });

  it('reads or throws DataError, whatever the bytes are', () => {
    const edits = fc.array(fc.tuple(fc.nat(30), fc.nat(255)), { maxLength: 6 });
    fc.assert(
      fc.property(edits, fc.nat(30), (changes, length) => {
        const bytes = images.slice(0, length);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        try {
          const { shape, data } = parseIdx(bytes, 'file');
          expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('a folder of idx files', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ucgm-idx-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('loads, plain or gzipped, and pads', async () => {
    writeFileSync(join(folder, 'train-images-idx3-ubyte.gz'), gzipSync(images));
    writeFileSync(join(folder, 'train-labels.idx1-ubyte'), labels);
    const dataset = await loadDataset({ name: folder, size: 4 });
    expect([dataset.size, dataset.numClasses, dataset.height, [...dataset.labels]]).toEqual([2, 4, 4, [3, 1]]);
    const out = new Float32Array(16);
    dataset.image(0, out, 0);
    expect(out[4]).toBe(-1);
    expect(out[10]).toBe(1);
  });

  it('names what is missing or does not belong together', () => {
    writeFileSync(join(folder, 'train-images-idx3-ubyte'), images);
    expect(() => loadIdxFolder(folder)).toThrow('no train-labels');
    writeFileSync(join(folder, 'train-labels-idx1-ubyte'), idx([3], [0, 1, 2]));
    expect(() => loadIdxFolder(folder)).toThrow('2 images but 3 labels');
    writeFileSync(join(folder, 'train-labels-idx1-ubyte'), images);
    expect(() => loadIdxFolder(folder)).toThrow('give labels with 1 dimensions');
    writeFileSync(join(folder, 'train-images-idx3-ubyte'), idx([0, 2, 3], []));
    writeFileSync(join(folder, 'train-labels-idx1-ubyte'), idx([0], []));
    expect(() => loadIdxFolder(folder)).toThrow('holds no images');
  });

  it('names a damaged gzip file', () => {
    writeFileSync(join(folder, 'train-images-idx3-ubyte.gz'), gzipSync(images).subarray(0, 20));
    expect(() => loadIdxFolder(folder)).toThrow('cannot be unpacked');
  });
});
