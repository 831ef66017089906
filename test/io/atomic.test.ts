import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { atomicWrite } from '../../src/io/atomic.node.ts';
import { readSafetensors, writeSafetensorsAtomic } from '../../src/io/safetensors.node.ts';
import { toFloat32 } from '../../src/io/safetensors.ts';
import { failure, useFolder } from './folder.ts';

const at = useFolder();

describe('atomicWrite', () => {
  it('writes text and chunks, and replaces a file', () => {
    atomicWrite(at('a.txt'), 'one é');
    expect(readFileSync(at('a.txt'), 'utf8')).toBe('one é');
    atomicWrite(at('a.txt'), [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)]);
    expect([...readFileSync(at('a.txt'))]).toEqual([1, 2, 3]);
    expect(readdirSync(at())).toEqual(['a.txt']);
  });

  it('leaves nothing behind when the folder is missing', () => {
    const error = failure(() => atomicWrite(at('missing', 'a.txt'), 'x'));
    expect(error.code).toBe('write');
    expect(error.where).toBe(at('missing', 'a.txt'));
    expect(error.message).toContain('ENOENT');
    expect(readdirSync(at())).toEqual([]);
  });

  it('leaves nothing behind when a folder stands in place of the file', () => {
    mkdirSync(at('a.txt', 'inside'), { recursive: true });
    expect(failure(() => atomicWrite(at('a.txt'), 'x')).where).toBe(at('a.txt'));
    expect(readdirSync(at())).toEqual(['a.txt']);
    expect(readdirSync(at('a.txt'))).toEqual(['inside']);
  });

  it('keeps the old file when writing fails midway', () => {
    writeFileSync(at('a.txt'), 'old');
    const bad = [new Uint8Array(5), 'no bytes' as unknown as Uint8Array, null as unknown as Uint8Array];
    expect(failure(() => atomicWrite(at('a.txt'), bad)).code).toBe('write');
    expect(readFileSync(at('a.txt'), 'utf8')).toBe('old');
    expect(readdirSync(at())).toEqual(['a.txt']);
  });
});

describe('safetensors files', () => {
  it('round trip', () => {
    writeSafetensorsAtomic(at('w.safetensors'), [['w', { shape: [2], data: Float32Array.of(1, 2) }]], { step: '3' });
    const { tensors, metadata } = readSafetensors(at('w.safetensors'));
    expect(metadata).toEqual({ step: '3' });
    expect(toFloat32(tensors.get('w')!)).toEqual(Float32Array.of(1, 2));
    expect(readdirSync(at())).toEqual(['w.safetensors']);
  });

  it('write nothing when a tensor does not fit the format', () => {
    expect(
      failure(() => writeSafetensorsAtomic(at('w'), [['w', { shape: [3], data: Float32Array.of(1) }]], {})).code,
    ).toBe('shape');
    expect(readdirSync(at())).toEqual([]);
  });

  it('name the path of a file that is absent, a folder or malformed', () => {
    expect(failure(() => readSafetensors(at('none'))).message).toContain('none: it cannot be read (ENOENT)');
    expect(failure(() => readSafetensors(at())).code).toBe('read');
    writeFileSync(at('short'), 'abc');
    const error = failure(() => readSafetensors(at('short')));
    expect(error.code).toBe('too-short');
    expect(error.where).toBe(at('short'));
  });
});
