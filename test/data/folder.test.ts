import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode } from 'fast-png';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataError } from '../../src/data/dataset.ts';
import { isFlipped } from '../../src/data/latents.ts';
import { loadDataset, openBatches } from '../../src/data/load.node.ts';

describe('a folder of class folders', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'ucgm-png-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const put = (file: string, channels: 1 | 2 | 3 | 4, values: number[], width = 2, depth: 8 | 16 = 8) => {
    mkdirSync(join(root, file, '..'), { recursive: true });
    const data = depth === 8 ? Uint8Array.from(values) : Uint16Array.from(values);
    const height = values.length / channels / width;
    writeFileSync(join(root, file), encode({ width, height, channels, depth, data }));
  };
  const load = () => loadDataset({ name: root });

  it('takes classes and files in order of their names', async () => {
    put('cat/b.png', 1, [0, 255]);
    put('cat/a.PNG', 2, [255, 9, 0, 9]); // grey with transparency
    put('ant/x.png', 1, [257 * 51, 257 * 204], 2, 16);
    const dataset = await load();
    expect([dataset.classNames, [...dataset.labels], dataset.channels]).toEqual([['ant', 'cat'], [0, 1, 1], 1]);
    const out = new Float32Array(6);
    for (const i of [0, 1, 2]) dataset.image(i, out, 2 * i);
    expect([...out].map((v) => Math.round((v + 1) * 127.5))).toEqual([51, 204, 255, 0, 0, 255]);
  });

  it('turns RGB pixels into planes', async () => {
    put('a/x.png', 4, [10, 20, 30, 255, 40, 50, 60, 0]);
    const out = new Float32Array(6);
    (await load()).image(0, out, 0);
    expect([...out].map((v) => Math.round((v + 1) * 127.5))).toEqual([10, 40, 20, 50, 30, 60]);
  });

  it('names what is wrong', async () => {
    await expect(loadDataset({ name: join(root, 'nowhere') })).rejects.toThrow(
      /is no dataset. Fix: use digits, shapes/,
    );
    await expect(load()).rejects.toThrow('holds no images');
    put('a/x.png', 1, [1, 2]);
    put('a/y.png', 1, [1, 2, 3], 3);
    await expect(load()).rejects.toThrow('differing sizes: 1 of 2x1, 1 of 3x1. Fix: set data.size');
    const whole = encode({ width: 2, height: 1, channels: 1, depth: 8, data: Uint8Array.of(3, 4) });
    writeFileSync(
      join(root, 'a/y.png'),
      whole.map((byte, i) => (i === 20 ? byte ^ 1 : byte)),
    );
    await expect(load()).rejects.toThrow(/y.png is no readable PNG .*Fix/);
    await expect(load()).rejects.toBeInstanceOf(DataError);
  });

  it('follows links, walks below a class, and counts what it leaves out', async () => {
    put('a/deep/x.png', 1, [1, 2]);
    put('a/.hidden.png', 1, [1, 2]);
    put('stray.png', 1, [1, 2]);
    symlinkSync(join(root, 'a'), join(root, 'b'));
    symlinkSync(root, join(root, 'a', 'round'));
    symlinkSync(join(root, 'nowhere'), join(root, 'a', 'broken'));
    writeFileSync(join(root, 'a/empty.png'), '');
    writeFileSync(join(root, 'a/y.png'), 'GIF89a');
    const { classNames, size, notice } = await load();
    expect([classNames, size]).toEqual([['a', 'b'], 2]);
    for (const kind of [
      '2 hidden files',
      '2 broken links',
      '2 empty files',
      '2 GIF files',
      '2 links that lead back',
      '1 image beside',
    ])
      expect(notice).toContain(kind);
  });

  it('changes its fingerprint with its pixels and names, and not with its place', async () => {
    put('a/x.png', 1, [1, 2]);
    const [before, again] = [(await load()).fingerprint, (await load()).fingerprint];
    expect(again).toBe(before);
    put('a/x.png', 1, [1, 3]);
    const after = (await load()).fingerprint;
    expect(after).toMatch(/^1 of 1x1x2, [0-9a-f]{16}$/);
    expect(after).not.toBe(before);
    put('b/x.png', 1, [1, 3]);
    expect((await load()).fingerprint).toMatch(/^2 of/);
  });

  it('mirrors each image or not with data.flip, by seed and position alone', async () => {
    put('a/x.png', 1, [0, 255]);
    const data = { name: root, batch_size: 64 };
    const firsts = async (flip: boolean, step: number) =>
      [...(await (await openBatches({ ...data, flip }, 5)).batch(step)).x].filter((_, i) => i % 2 === 0);
    expect(new Set(await firsts(false, 0))).toEqual(new Set([-1]));
    const flipped = (await firsts(true, 1)).map((value) => value === 1);
    expect(flipped).toEqual(Array.from({ length: 64 }, (_, i) => isFlipped(5, 64 + i)));
  });

  it('takes a flat folder as one class, grey as RGB beside colour, and any size with data.size', async () => {
    put('x.png', 1, [7, 7]);
    put('y.png', 3, [10, 20, 30, 40, 50, 60], 1);
    const dataset = await loadDataset({ name: root, size: 1 });
    expect([dataset.numClasses, dataset.channels, dataset.size]).toEqual([1, 3, 2]);
    const out = new Float32Array(6);
    for (const i of [0, 1]) dataset.image(i, out, 3 * i);
    expect([...out].slice(0, 3).map((v) => Math.round((v + 1) * 127.5))).toEqual([7, 7, 7]);
    await expect(loadDataset({ name: root, size: 1e6 })).rejects.toThrow('Fix: set data.size lower');
  });
});

describe('loadDataset', () => {
  it('knows digits and shapes', async () => {
    const [digits, shapes] = [await loadDataset({ name: 'digits' }), await loadDataset({ name: 'shapes' })];
    expect([digits.size, digits.height, shapes.numClasses]).toEqual([10000, 28, 6]);
    await expect(loadDataset({ name: 'digits', size: 20 })).rejects.toThrow('size 20 does not hold');
  });
});
